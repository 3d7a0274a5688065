"""Incidents on counts whose truth is planted: place, life, silence, backlog, holiday."""

from datetime import date, timedelta

import numpy as np
import pytest

from complaint_assets.logic.enriched.phrases import phrases
from complaint_assets.logic.surges.backtest import Found, Known, judge, summary
from complaint_assets.logic.surges.calendar import Calendar, silences
from complaint_assets.logic.surges.counts import Cube, Flags, Reals, score
from complaint_assets.logic.surges.lifecycle import Replay
from complaint_assets.logic.surges.scopes import Scope
from complaint_assets.logic.surges.surge_scan import Lattice

CHANNELS, CATEGORIES, REGIONS = ("a", "b", "c"), ("p", "q", "r"), ("R1", "R2", "R3", "R4", "R5", "R6")
DAYS = 30
START = 27 * 24 + 10


def cube(seed: int = 1, usual: float = 2.0) -> Cube:
    """Independent Poisson counts, known exactly: nothing but chance."""
    codes = tuple(part.ravel() for part in np.meshgrid(*map(np.arange, (3, 3, 6)), indexing="ij"))
    shape = (54, DAYS * 24)
    counts = np.random.default_rng(seed).poisson(usual, shape).astype(float)
    flat = np.full(shape, usual)
    return Cube((CHANNELS, CATEGORIES, REGIONS), codes, {"subjects": counts, "expected": flat, "variance": flat})


def plant(made: Cube, series: Flags, start: int, hours: int, more: float) -> None:
    made.measures["subjects"][series, start : start + hours] += more


def where(made: Cube, *, category: str | None = None, regions: tuple[str, ...] | None = None) -> Flags:
    flags = np.ones(54, dtype=bool)
    if category:
        flags &= made.codes[1] == CATEGORIES.index(category)
    if regions:
        flags &= np.isin(made.codes[2], [REGIONS.index(region) for region in regions])
    return flags


def replay(made: Cube, threshold: float = 6.0) -> Replay:
    return Replay(Lattice(made), np.full(DAYS, threshold), DAYS * 24)


def test_neighbouring_regions_hit_together_are_one_incident_of_just_these_regions() -> None:
    made = cube()
    plant(made, where(made, category="q", regions=("R2", "R3", "R5")), START, 4, 6.0)
    found = replay(made).incidents
    assert len(found) == 1
    assert found[0].scope.category == "q"
    assert found[0].scope.regions == ("R2", "R3", "R5")
    assert found[0].detected - START <= 1


def test_a_company_wide_outage_is_one_incident_and_not_one_per_place() -> None:
    made = cube()
    plant(made, where(made), START, 6, 4.0)
    found = replay(made).incidents
    assert [i.scope.fixed for i in found] == [0]


def test_two_outages_at_once_in_different_matters_are_two_incidents() -> None:
    made = cube()
    plant(made, where(made, category="p", regions=("R1",)), START, 4, 8.0)
    plant(made, where(made, category="r", regions=("R6",)), START, 4, 8.0)
    assert sorted(str(i.scope.category) for i in replay(made).incidents) == ["p", "r"]


def test_a_matter_that_shows_elsewhere_an_hour_later_is_the_same_incident() -> None:
    made = cube()
    plant(made, where(made, category="q", regions=("R1", "R2")), START, 1, 10.0)
    plant(made, where(made, category="q", regions=("R5",)) & (made.codes[0] == 0), START + 1, 1, 25.0)
    assert [i.scope.category for i in replay(made).incidents] == ["q"]


def test_parts_of_something_wider_are_one_incident() -> None:
    def incidents(around: float) -> int:
        made = cube(usual=0.3)
        made.measures["subjects"][:, START - 12 :] = 0.3
        region, matter = where(made, regions=("R1",)), where(made, category="q") & (made.codes[0] == 0)
        plant(made, region, START, 1, 12.0)
        plant(made, matter & ~region, START, 1, 6.0)
        plant(made, where(made), START, 1, around)
        return len(replay(made).incidents)

    assert incidents(around=0.5) == 1
    assert incidents(around=0.0) == 2, "nothing around them is high"


def test_noise_of_a_single_series_within_an_outage_is_no_outage_of_its_own() -> None:
    plain = cube()
    made = Cube(plain.names, plain.codes, {**plain.measures, "variance": 2 * plain.measures["expected"]})
    place = where(made, category="q")
    plant(made, place, START, 4, 6.0)
    plant(made, place, START + 4, 4, 1.0)
    plant(made, place & where(made, regions=("R3",)) & (made.codes[0] == 1), START + 5, 1, 24.0)
    assert len(replay(made).incidents) == 1


def test_what_an_outage_still_brings_makes_no_alarm_of_something_else() -> None:
    def alarms(still: float, beside: float) -> int:
        made = cube()
        made.measures["subjects"][:, START - 12 :] = 2.0
        place = where(made, category="q", regions=("R2",))
        beside_it = (made.codes[0] == 0) & ~place
        plant(made, place, START, 2, 8.0)
        plant(made, place & (made.codes[0] == 0), START + 2, 1, still)
        plant(made, beside_it, START, 3, beside)
        return len(replay(made).incidents)

    assert alarms(still=0.0, beside=1.6) == 1
    assert alarms(still=8.0, beside=1.6) == 1
    assert alarms(still=0.0, beside=1.7) == 2


def test_an_incident_opens_resolves_when_calm_and_reopens_within_the_cool_down() -> None:
    made = cube()
    place = where(made, category="p", regions=("R1",))
    plant(made, place, START, 4, 8.0)
    plant(made, place, START + 14, 3, 8.0)
    found = replay(made).incidents
    assert len(found) == 1
    kinds = [change.kind for change in found[0].transitions if change.kind != "update"]
    assert [kind for kind in kinds if kind != "escalate"] == ["open", "resolve", "reopen", "resolve"]


def test_severity_only_rises_and_each_rise_is_told() -> None:
    made = cube()
    place = where(made, category="p", regions=("R1",))
    for hour in range(8):
        plant(made, place, START + hour, 1, 3.0 + 4 * hour)
    (found,) = replay(made).incidents
    severities = [change.severity for change in found.transitions]
    assert severities == sorted(severities, reverse=True)
    assert found.severity == 1
    assert "escalate" in [change.kind for change in found.transitions]


def test_few_subscribers_make_the_same_excess_graver() -> None:
    made = cube()
    plant(made, where(made, category="p", regions=("R1",)), START, 1, 6.0)
    few = Replay(Lattice(made), np.full(DAYS, 6.0), DAYS * 24, subscribers=np.full(6, 10_000.0)).incidents
    many = Replay(Lattice(made), np.full(DAYS, 6.0), DAYS * 24, subscribers=np.full(6, 10_000_000.0)).incidents
    assert (few[0].transitions[0].severity, many[0].transitions[0].severity) == (2, 3)


def test_later_hours_do_not_change_what_was_found_before() -> None:
    made = cube()
    plant(made, where(made, category="q", regions=("R2",)), START, 5, 8.0)
    so_far = Replay(Lattice(made), np.full(DAYS, 6.0), START + 3).incidents
    whole = replay(made).incidents
    assert [(i.held[0], i.started, i.detected) for i in so_far] == [
        (i.held[0], i.started, i.detected) for i in whole[: len(so_far)]
    ]
    assert len(so_far) == 1


def test_steps_of_a_quarter_find_a_steep_outage_within_the_hour() -> None:
    made = cube()
    rng = np.random.default_rng(3)
    quarters = rng.multinomial(made.measures["subjects"].astype(int), [0.25] * 4).reshape(54, -1).astype(float)
    quarters[where(made, category="q", regions=("R2",)), START * 4 : START * 4 + 16] += 6
    made.measures["subjects"][:] = quarters.reshape(54, -1, 4).sum(2)
    found = Replay(Lattice(made, quarters), np.full(DAYS, 6.75), DAYS * 96).incidents
    assert len(found) == 1
    assert found[0].detected + 1 - START * 4 <= 2, "told within 30 minutes"


def test_a_look_between_the_hours_is_charged_as_four_looks() -> None:
    made = cube()
    made.measures["subjects"][:] = 2.0
    quarters = np.full((54, DAYS * 96), 0.5)
    place = where(made, category="q", regions=("R2",))
    at_the_hour, between = START * 4, START * 4 + 49
    for first in (at_the_hour, between):
        quarters[place, first : first + 4] += 2.5
    peaks = Lattice(made, quarters).peaks
    assert peaks[between + 3] > 6
    assert peaks[at_the_hour + 3] - peaks[between + 3] == pytest.approx(np.log10(4), abs=0.01)


def test_kinds_of_nodes_of_which_there_are_few_are_credited_for_it() -> None:
    made = cube()
    made.measures["subjects"][:] = 2.0
    plant(made, where(made), START, 1, 1.5)
    lattice = Lattice(made)
    found = lattice.best(made.measures["subjects"][:, START - 11 : START + 1], START, 3.0)
    assert found
    assert found.scope == Scope(None, None, None)
    mean = np.array([108.0])
    spread = mean + lattice.noise.dispersion[0, 0, START // 24] * mean**2
    # One node of all and 54 series: half of the orders of magnitude between.
    assert found.score == pytest.approx(score(mean * 1.75, mean, spread)[0] + np.log10(54) / 2)


def hours(*values: float) -> Reals:
    return np.array([values], dtype=float)


def test_a_source_is_silent_once_chance_does_not_explain_it_and_catches_up_what_it_missed() -> None:
    expected = np.full((1, 12), 4.0)
    silent, catching = silences(hours(4, 4, 0, 0, 0, 0, 18, 6, 4, 4, 9, 4), expected)
    assert silent[0].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert catching[0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]


def test_quiet_hours_are_no_silence_where_little_is_expected() -> None:
    silent, _ = silences(np.zeros((1, 24)), np.full((1, 24), 0.2))
    assert not silent.any()


def test_a_holiday_is_like_the_day_that_the_file_names() -> None:
    day = date(2026, 10, 1)  # a Thursday
    known = Calendar.of({"holidays": [{"date": day, "name": "Independence", "like": "sunday", "factor": 0.5}]})
    of_week, factor = known.hours(day)
    assert (of_week[0], factor) == (6 * 24, 0.5)
    assert known.hours(day + timedelta(days=1))[0][0] == 4 * 24


@pytest.mark.parametrize(
    "content",
    [
        {"holydays": []},
        {"holidays": [{"date": "soon"}]},
        {"holidays": [{"date": date(2026, 1, 1), "like": "funday"}]},
        {"holidays": [{"date": date(2026, 1, 1), "factor": 0}]},
        {"subscribers": {"NG-LA": -5}},
        {"subscribers": {"NG-LA": {"2026-10": 0}}},
        {"subscribers": {"NG-LA": {"2026-13": 5}}},
    ],
)
def test_a_wrong_calendar_is_refused_with_its_place(content: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"holydays|holidays|NG-LA"):
        Calendar.of(content)


def test_phrases_are_words_of_many_people_that_were_rare_before() -> None:
    inside = [(f"s{n}", "fibre cable cut again in the street") for n in range(8)] + [("s99", "secret words")]
    before = [(f"b{n}", "slow again in the street today") for n in range(40)]
    told = phrases(inside, before)
    assert any("cable" in words for words in told)
    assert not any("secret" in words or words == "again" for words in told)
    assert phrases(inside[:4], before) == [], "fewer than five people are told of by nobody"


def test_verdicts_count_incidents_delay_and_overlap_of_each_outage() -> None:
    first, second = np.array([True, True, False, False]), np.array([False, False, True, True])
    known = [Known(10, 4, 3.0, first, 50.0), Known(40, 4, 3.0, second, 50.0)]
    found = [
        Found(first, 10, 11, 9.0),
        Found(np.array([True, False, False, False]), 12, 13, 7.0),
        Found(second, 20, 21, 8.0),
    ]
    verdicts, false = judge(known, found, np.ones(4))
    assert [v.incidents for v in verdicts] == [2, 0]
    assert false == 1
    assert (verdicts[0].delay, verdicts[0].overlap) == (1, 1.0)
    whole = summary(verdicts)[-1]
    assert (whole["outages"], whole["recall"], whole["exactly_one"]) == (2, 0.5, 0.0)
