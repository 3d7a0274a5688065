"""Sources that fall silent, start late or dump a backlog, and holidays: no NaN, and no flood of incidents."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from complaint_assets.logic.surges.calendar import Calendar
from complaint_assets.logic.surges.incidents import find_surges
from complaint_assets.logic.surges.surge_metrics import surge_metrics

START = datetime(2026, 8, 3, tzinfo=UTC)
DAYS = 24
LAST = (START + timedelta(days=DAYS - 1)).date()
CHANNELS, CATEGORIES, REGIONS = ("sms", "social", "web_form"), ("billing", "network"), ("NG-KN", "NG-LA")


def traffic(factor: np.ndarray | None = None) -> pd.DataFrame:
    """Rows of ``hourly_counts`` of three channels; ``factor`` [channel, hour] scales them."""
    rng = np.random.default_rng(5)
    hour = np.arange(DAYS * 24)
    mean = np.broadcast_to(2.0 + np.sin(hour * 2 * np.pi / 24), (3, 2, 2, hour.size))
    scaled = mean * (1 if factor is None else factor[:, None, None, :])
    counts = rng.poisson(scaled)
    split = rng.multinomial(counts.ravel(), [0.25] * 4).cumsum(axis=1)
    keys = pd.MultiIndex.from_product(
        [CHANNELS, CATEGORIES, REGIONS, pd.date_range(START, periods=hour.size, freq="h")],
        names=["channel", "category", "region", "bucket_start"],
    )
    frame = pd.DataFrame(split, index=keys, columns=["by_15", "by_30", "by_45", "subjects"]).reset_index()
    frame = frame.assign(complaints=frame["subjects"], amplifications=0)
    return frame[frame["subjects"] > 0]


def factors() -> np.ndarray:
    return np.ones((3, DAYS * 24))


def measured(counts: pd.DataFrame, calendar: Calendar | None = None) -> pd.DataFrame:
    days = [(START + timedelta(days=n)).date() for n in range(8, DAYS)]
    return surge_metrics(counts, days, START + timedelta(days=DAYS), calendar or Calendar())


def incidents(metrics: pd.DataFrame) -> pd.DataFrame:
    return find_surges(metrics, lambda text: (text.encode().hex() * 26)[:26])


def finite(metrics: pd.DataFrame) -> bool:
    scored = metrics[metrics["expected"].notna()]
    return bool(np.isfinite(scored[["expected", "variance", "upper_99", "score"]].astype(float)).all(axis=None))


def test_a_silent_channel_is_marked_and_its_backlog_is_no_surge() -> None:
    factor = factors()
    gap = slice((DAYS - 2) * 24 + 4, (DAYS - 2) * 24 + 16)
    factor[0, gap] = 0
    factor[0, gap.stop] = 13  # all that was held back comes in one hour
    metrics = measured(traffic(factor))
    at = pd.to_datetime(metrics["bucket_start"], utc=True)
    of_sms = metrics["channel"] == "sms"
    dump = of_sms & (at == START + timedelta(hours=gap.stop))
    assert (metrics[dump]["source_state"] == "catching_up").all()
    silent = metrics[of_sms & (metrics["source_state"] == "silent")]
    assert len(silent) >= 8 * 4
    assert (metrics[~of_sms]["source_state"] == "heard").all()
    assert finite(metrics)
    assert incidents(metrics).empty


def test_a_channel_that_sleeps_at_night_among_others_that_do_not_is_never_silent() -> None:
    factor = factors()
    hour = np.arange(factor.shape[1]) % 24
    factor[2, hour < 8] = 0
    factor[2, hour >= 8] *= 2
    factor[:2] *= 4
    metrics = measured(traffic(factor))
    assert (metrics["source_state"] == "heard").all()


def test_the_same_burst_without_a_silence_before_is_a_surge() -> None:
    factor = factors()
    factor[0, (DAYS - 2) * 24 + 16] = 13
    found = incidents(measured(traffic(factor)))
    assert found["channel"].tolist() == ["sms"]


def test_a_channel_that_has_never_been_heard_before_makes_no_flood_and_silences_nobody() -> None:
    factor = factors()
    factor[2, : (DAYS - 2) * 24] = 0
    metrics = measured(traffic(factor))
    last = metrics[metrics["event_date"] == LAST]
    assert last[last["channel"] == "web_form"]["expected"].isna().all()
    assert last[last["channel"] != "web_form"]["score"].notna().all()
    assert len(last) == 24 * 12
    assert finite(metrics)
    assert incidents(metrics).empty


def test_a_holiday_in_the_calendar_expects_what_the_day_it_resembles_brings() -> None:
    plain = measured(traffic())
    calendar = Calendar.of({"holidays": [{"date": LAST, "name": "Feast", "factor": 0.5}]})
    with_holiday = measured(traffic(), calendar)

    def expected(frame: pd.DataFrame, day: date) -> float:
        return float(frame[frame["event_date"] == day]["expected"].sum())

    sunday = LAST - timedelta(days=(LAST.weekday() + 1) % 7)
    assert expected(with_holiday, LAST) == pytest.approx(0.5 * expected(plain, sunday), rel=0.15)
    assert expected(with_holiday, LAST) < 0.6 * expected(plain, LAST)


def test_a_holiday_with_much_more_of_everything_is_one_incident_at_most() -> None:
    factor = factors()
    factor[:, (DAYS - 1) * 24 :] = 1.8
    assert len(incidents(measured(traffic(factor)))) <= 1


def test_bands_are_ordered_and_hold_their_share_of_quiet_hours() -> None:
    metrics = measured(traffic())
    lately = metrics[metrics["event_date"] >= LAST - timedelta(days=6)]
    edges = ["lower_99", "lower_90", "lower_50", "upper_50", "upper_95", "upper_99"]
    assert (np.diff(lately[edges].astype(float).to_numpy(), axis=1) >= 0).all()
    for low, high, share in (("lower_90", "upper_95", 0.90), ("lower_99", "upper_99", 0.99)):
        inside = lately["subjects"].between(lately[low], lately[high]).mean()
        assert share - 0.02 <= inside <= 1
