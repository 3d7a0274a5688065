"""Counts against expectation and the incidents in them, on simulated hours with known truth."""

from datetime import UTC, date, datetime, timedelta

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import nbinom

from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.surges.counts import quantile, score
from complaint_assets.logic.surges.forecast import forecast
from complaint_assets.logic.surges.incidents import find_surges
from complaint_assets.logic.surges.lifecycle import NEWS_HOURS
from complaint_assets.logic.surges.surge_metrics import hourly_counts, surge_metrics
from complaint_assets.schemas.surges import SurgeForecast, SurgeMetrics, Surges
from complaint_assets.schemas.types import Table, arrow_schema, from_pandas
from complaint_assets.schemas.validate import breaches
from complaint_assets.schemas.warehouse import ComplaintFacts

START = datetime(2026, 8, 3, tzinfo=UTC)
DAYS = 35
CHANNELS = ("social", "sms", "whatsapp")
CATEGORIES = ("billing", "network", "internet_speed")
REGIONS = ("NG-KN", "NG-LA", "NG-RI", "unknown")
OUTAGE = 30 * 24 + 15
"""Position of the first hour of the planted outage."""


def name(text: str) -> str:
    return (text.encode().hex() * 26)[:26]


def traffic(seed: int, *, days: int = DAYS, outage: bool) -> pd.DataFrame:
    """Hourly counts with a daily rhythm; an outage adds network complaints in Lagos for four hours."""
    rng = np.random.default_rng(seed)
    hour = np.arange(days * 24)
    rhythm = 1 + 0.7 * np.sin((hour % 24 - 8) * 2 * np.pi / 24)
    rows = []
    for channel in CHANNELS:
        for category in CATEGORIES:
            for region in REGIONS:
                counts = rng.poisson(1.5 * rhythm)
                if outage and (category, region) == ("network", "NG-LA"):
                    counts[OUTAGE : OUTAGE + 4] += rng.poisson(15, 4)
                rows += [
                    (START + timedelta(hours=int(h)), channel, category, region, int(counts[h])) for h in hour
                ]
    frame = pd.DataFrame(rows, columns=["bucket_start", "channel", "category", "region", "subjects"])
    frame = frame[frame["subjects"] > 0]
    split = rng.multinomial(frame["subjects"].to_numpy(), [0.25] * 4).cumsum(axis=1)
    quarters = {f"by_{15 * n}": split[:, n - 1] for n in (1, 2, 3)}
    return frame.assign(**quarters, complaints=frame["subjects"], amplifications=0)


def dates(count: int = DAYS) -> list[date]:
    return [(START + timedelta(days=n)).date() for n in range(count)]


def measured(counts: pd.DataFrame, days: int = DAYS) -> pd.DataFrame:
    return surge_metrics(counts, dates(days), START + timedelta(days=days))


@pytest.fixture(scope="module")
def metrics() -> pd.DataFrame:
    return measured(traffic(1, outage=True))


def valid(model: type[Table], frame: pd.DataFrame) -> bool:
    return not breaches(model, from_pandas(frame, model))


def test_every_active_series_has_a_row_for_each_hour_with_explicit_zeros(metrics: pd.DataFrame) -> None:
    assert valid(SurgeMetrics, metrics)
    last = metrics[metrics["event_date"] == dates()[-1]]
    assert len(last) == 24 * len(CHANNELS) * len(CATEGORIES) * len(REGIONS)
    assert (last["subjects"] == 0).any()


def test_nothing_is_measured_beyond_what_has_arrived() -> None:
    until = START + timedelta(days=20, hours=7)
    found = surge_metrics(traffic(2, outage=False), [until.date()], until)
    assert pd.to_datetime(found["bucket_start"], utc=True).max() == until - timedelta(hours=1)


def test_equal_counts_give_equal_metrics_in_whatever_order_rows_come(metrics: pd.DataFrame) -> None:
    shuffled = traffic(1, outage=True).sample(frac=1, random_state=3)
    keys = ["bucket_start", "channel", "category", "region"]
    again = measured(shuffled).sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(metrics.sort_values(keys, ignore_index=True), again, check_exact=True)


def test_what_happens_later_changes_no_expectation(metrics: pd.DataFrame) -> None:
    day = dates()[25]
    until = traffic(1, outage=True)
    earlier = until[until["bucket_start"] < START + timedelta(days=26)]
    alone = surge_metrics(earlier, [day], START + timedelta(days=26))
    together = metrics[metrics["event_date"] == day]
    assert alone["expected"].sum() == pytest.approx(together["expected"].sum(), rel=1e-12)


def test_a_channel_without_history_expects_nothing_and_silences_nobody() -> None:
    counts = traffic(4, outage=False)
    late = counts["channel"].eq("sms") & (counts["bucket_start"] < START + timedelta(days=DAYS - 2))
    last = measured(counts[~late])
    last = last[last["event_date"] == dates()[-1]]
    assert last[last["channel"] == "sms"]["expected"].isna().all()
    assert last[last["channel"] != "sms"]["score"].notna().all()


def test_one_outage_is_one_incident_with_its_place_matter_and_time(metrics: pd.DataFrame) -> None:
    found = find_surges(metrics, name)
    assert valid(Surges, found)
    assert len(found) == 1
    surge = found.iloc[0]
    assert (surge["category"], surge["region"], surge["status"]) == ("network", "NG-LA", "resolved")
    assert pd.isna(surge["channel"])
    begin = START + timedelta(hours=OUTAGE)
    assert abs(surge["started_at"] - begin) <= timedelta(hours=1)
    assert surge["detected_at"] - begin <= timedelta(hours=2)
    assert surge["observed"] > 2 * surge["expected"]


def test_a_smaller_outage_after_a_wide_one_has_calmed_is_an_incident_of_its_own() -> None:
    counts = traffic(1, outage=False)
    wide, begin = START + timedelta(hours=OUTAGE - 4), START + timedelta(hours=OUTAGE)
    columns = ["subjects", "by_15", "by_30", "by_45", "complaints"]
    counts.loc[counts["bucket_start"] == wide, columns] *= 4
    after = counts["bucket_start"].between(begin, begin + timedelta(hours=2))
    of_outage = (counts["category"] == "network") & (counts["region"] == "NG-LA")
    counts.loc[after & of_outage, columns] += [6, 1, 3, 4, 6]
    found = find_surges(measured(counts), name).sort_values("started_at")
    assert found["started_at"].tolist() == [wide, begin]
    assert found["category"].isna().tolist() == [True, False]
    assert (found["category"].iloc[1], found["region"].iloc[1]) == ("network", "NG-LA")


def test_an_incident_keeps_its_id_when_more_data_comes(metrics: pd.DataFrame) -> None:
    days = OUTAGE // 24 + 1
    so_far = metrics[metrics["event_date"] < dates()[days]]
    early, later = find_surges(so_far, name), find_surges(metrics, name)
    assert set(early["surge_id"]) <= set(later["surge_id"])
    assert len(early) == 1


def test_an_outage_that_goes_on_is_open_and_nothing_is_said_of_hours_to_come() -> None:
    until = START + timedelta(hours=OUTAGE + 3)
    counts = traffic(1, outage=True)
    found = find_surges(
        surge_metrics(counts[counts["bucket_start"] < until], dates(OUTAGE // 24 + 1), until), name
    )
    assert found["status"].tolist() == ["open"]
    assert found["resolved_at"].isna().all()
    assert (found["last_hour_at"] < until).all()


def test_a_past_surge_does_not_raise_what_is_expected_afterwards(metrics: pd.DataFrame) -> None:
    quiet = measured(traffic(1, outage=False))
    day = dates()[-1]

    def expected(frame: pd.DataFrame) -> float:
        of = frame[(frame["event_date"] == day) & (frame["category"] == "network") & (frame["region"] == "NG-LA")]
        return float(of["expected"].sum())

    assert expected(metrics) == pytest.approx(expected(quiet), rel=0.1)


def test_quiet_weeks_raise_hardly_an_alarm() -> None:
    """Three seeds of five quiet weeks, four of them watched: at most one false incident in all."""
    assert sum(len(find_surges(measured(traffic(seed, outage=False)), name)) for seed in (11, 12, 13)) <= 1


def by_the_day(outage_days: int) -> pd.DataFrame:
    """Metrics of a source that knows days only, with an outage of so many days."""
    rng = np.random.default_rng(5)
    seen = rng.poisson(3.0, DAYS)
    seen[OUTAGE // 24 : OUTAGE // 24 + outage_days] += 25
    at = [START + timedelta(days=day, hours=12) for day in range(DAYS)]
    counts = pd.DataFrame({"bucket_start": at, "channel": "call_centre", "category": "billing", "region": "MD"})
    counts = counts.assign(**dict.fromkeys(("subjects", "by_15", "by_30", "by_45", "complaints"), seen))
    return measured(counts.assign(amplifications=0))


def test_a_source_that_knows_days_only_is_watched_by_the_day() -> None:
    found = by_the_day(1)
    expected = found[found["event_date"] == dates()[-1]]["expected"].to_numpy()
    assert expected[12] == pytest.approx(3.0, rel=0.3)
    assert expected.sum() - expected[12] < 0.1
    surges = find_surges(found, name)
    assert [at.date() for at in surges["started_at"]] == [dates()[OUTAGE // 24]]
    assert surges["detected_at"].iloc[0].hour <= 13


def test_an_outage_of_days_in_a_source_that_knows_days_only_is_one_incident_that_ends() -> None:
    surges = find_surges(by_the_day(3), name)
    assert len(surges) == 1
    surge = surges.iloc[0]
    assert (surge["last_hour_at"].date() - surge["started_at"].date()).days == 2
    assert surge["resolved_at"] - surge["last_hour_at"] <= timedelta(hours=NEWS_HOURS + 1)


def test_an_outage_that_goes_on_after_a_night_in_which_nobody_writes_is_one_incident() -> None:
    rng = np.random.default_rng(6)
    usual = np.tile(np.where((np.arange(24) >= 7) & (np.arange(24) < 17), 12.0, 0.0), DAYS)
    day = OUTAGE // 24
    usual[day * 24 + 14 : day * 24 + 17] *= 4
    usual[day * 24 + 31 : day * 24 + 35] *= 4
    seen = rng.poisson(usual)
    at = [START + timedelta(hours=hour) for hour in range(DAYS * 24)]
    counts = pd.DataFrame({"bucket_start": at, "channel": "web_form", "category": "billing", "region": "MD"})
    quarters = {f"by_{15 * n}": seen * n // 4 for n in (1, 2, 3)}
    counts = counts.assign(subjects=seen, **quarters, complaints=seen, amplifications=0)
    surges = find_surges(measured(counts[counts["subjects"] > 0]), name)
    assert len(surges) == 1
    assert surges["last_hour_at"].iloc[0] >= START + timedelta(days=day + 1, hours=10)
    assert surges["status"].iloc[0] == "resolved"


def test_the_forecast_covers_the_next_day_with_ordered_bands() -> None:
    counts = traffic(5, outage=False)
    until = START + timedelta(days=DAYS - 1)
    ahead = forecast(counts[counts["bucket_start"] < until], until)
    assert valid(SurgeForecast, ahead)
    whole = ahead[ahead["category"] == "all"].set_index("bucket_start").sort_index()
    assert len(whole) == 24
    assert (whole["lower_80"] <= whole["upper_80"]).all()
    assert (whole["upper_80"] <= whole["upper_95"]).all()
    truth = counts[counts["bucket_start"] >= until].groupby("bucket_start")["subjects"].sum()
    inside = [whole["lower_80"].iloc[n] <= truth.iloc[n] <= whole["upper_80"].iloc[n] for n in range(24)]
    assert sum(inside) >= 15


def test_scores_and_limits_are_those_of_the_negative_binomial() -> None:
    mean, variance = np.array([0.4, 3.0, 40.0]), np.array([0.5, 6.0, 200.0])
    probability = mean / variance
    law = nbinom(mean * probability / (1 - probability), probability)
    assert quantile(0.95, mean, variance).tolist() == law.ppf(0.95).tolist()
    seen = np.array([3.0, 12.0, 90.0])
    mid_p = (law.sf(seen - 1) + law.sf(seen)) / 2
    assert score(seen, mean, variance) == pytest.approx(-np.log10(mid_p), rel=1e-6)


def test_subjects_are_counted_once_and_reposts_weigh_nothing() -> None:
    at = START.replace(hour=9)
    plain = {
        "event_hour": at,
        "event_date": at.date(),
        "channel": "sms",
        "category": "network",
        "region": "NG-LA",
        "is_repeat": False,
    }
    later = at.replace(minute=40)
    rows = [
        {
            "complaint_id": "a",
            "subject_id": "s1",
            "is_complaint": True,
            "is_amplification": False,
            "occurred_at": at,
        },
        {"complaint_id": "b", "subject_id": "s1", "is_complaint": True, "is_amplification": False},
        {
            "complaint_id": "c",
            "subject_id": None,
            "is_complaint": True,
            "is_amplification": False,
            "occurred_at": later,
        },
        {"complaint_id": "d", "subject_id": "s2", "is_complaint": False, "is_amplification": True},
    ]
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(ComplaintFacts)])
    table = pa.Table.from_pylist([{**dict.fromkeys(schema.names), **plain, **row} for row in rows], schema=schema)

    def expression(given: ibis.Table) -> ibis.Table:
        return hourly_counts(given)

    found = evaluate(expression, table).to_pylist()
    assert [(row["subjects"], row["complaints"], row["amplifications"]) for row in found] == [(2, 3, 1)]
    assert [(row["by_15"], row["by_30"], row["by_45"]) for row in found] == [(1, 1, 2)]


def test_without_data_there_is_nothing_and_no_error() -> None:
    empty = traffic(1, days=1, outage=False).head(0)
    assert surge_metrics(empty, dates(1), START).empty
    assert find_surges(measured(empty, 1), name).empty
    assert forecast(empty, START).empty
