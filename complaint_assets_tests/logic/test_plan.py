"""What is out of date follows from the ledger alone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.logic.plan import (
    BASELINE_DAYS,
    Built,
    complaint_inputs,
    enriched_inputs,
    metric_inputs,
    pending_dates,
    stale_slots,
)

RULES = "1.0.0+a"
DAY = date(2026, 11, 10)
AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)


def row(sha: str, *dates: date, content: str = "c") -> dict[str, Any]:
    return {
        "channel": "sms",
        "source": "gateway",
        "object_sha256": sha,
        "content_digest": content,
        "event_dates": list(dates),
    }


def built_from(intake: list[dict[str, Any]]) -> dict[str, dict[date, Built]]:
    """The ledger after everything pending has been built; outputs follow from inputs."""
    complaints = {day: Built(digest, f"rows-of-{digest}") for day, digest in complaint_inputs(intake).items()}
    enriched = {}
    for day in complaints:
        inputs = enriched_inputs(complaints, day, RULES)
        enriched[day] = Built(inputs, f"enriched-{inputs}")
    facts = {day: Built(enriched[day].output, f"facts-{enriched[day].output}") for day in enriched}
    metrics = {day: Built(metric_inputs(facts, day, AS_OF), "m") for day in facts}
    return {
        "complaints": complaints,
        "enriched_complaints": enriched,
        "complaint_facts": facts,
        "surge_metrics": metrics,
    }


def test_a_slot_is_stale_until_its_newest_manifest_has_been_read() -> None:
    def read(slot: str, manifest: str) -> dict[str, Any]:
        return {"slot": slot, "manifest_sha256": manifest, "source": "gateway", "contract_version": "1.0"}

    intake = [read("A", "1"), read("B", "old")]
    sealed = {"A": "1", "B": "new", "C": "1"}
    assert stale_slots(["D"], sealed, intake, {"gateway": "1.0"}) == ["B", "C", "D"]


def test_a_slot_is_stale_once_a_contract_that_read_it_has_a_new_version() -> None:
    intake = [
        {"slot": slot, "manifest_sha256": "1", "source": source, "contract_version": "1.0"}
        for slot, source in (("A", "gateway"), ("A", "other"), ("B", "other"), ("C", "gone"))
    ]
    sealed = dict.fromkeys("ABC", "1")
    assert stale_slots([], sealed, intake, {"gateway": "1.1", "other": "1.0"}) == ["A"]
    assert stale_slots([], sealed, intake, {"gateway": "1.0", "other": "1.0"}) == []


def test_nothing_is_pending_after_everything_was_built() -> None:
    intake = [row("a", DAY), row("b", DAY, DAY + timedelta(days=1))]
    pending = pending_dates(intake, built_from(intake), AS_OF, RULES)
    assert pending.chain == []
    assert pending.metrics == []


def test_a_late_object_restates_its_own_dates_and_the_day_that_links_to_them() -> None:
    days = [DAY + timedelta(days=n) for n in range(5)]
    intake = [row("a", *days)]
    late = [*intake, row("late", days[1])]
    pending = pending_dates(late, built_from(intake), AS_OF, RULES)
    assert pending.chain == [days[1], days[2]]
    assert pending.metrics == [days[3], days[4]], "later baselines contain the late object"


def test_a_date_beyond_the_baseline_of_a_late_object_is_left_alone() -> None:
    far = DAY + timedelta(days=BASELINE_DAYS + 2)
    intake = [row("a", DAY, far)]
    pending = pending_dates([*intake, row("late", DAY)], built_from(intake), AS_OF, RULES)
    assert far not in pending.metrics


def test_a_build_that_stopped_halfway_is_found_again() -> None:
    intake = [row("a", DAY)]
    builds = built_from(intake)
    del builds["complaint_facts"][DAY]
    assert pending_dates(intake, builds, AS_OF, RULES).chain == [DAY]


def test_an_object_that_left_a_date_makes_that_date_pending() -> None:
    before = [row("a", DAY), row("b", DAY + timedelta(days=3))]
    after = [row("a", DAY)]
    assert DAY + timedelta(days=3) in pending_dates(after, built_from(before), AS_OF, RULES).chain


@given(st.permutations(["a", "b", "c", "d", "e"]))
def test_the_order_of_arrival_does_not_change_what_a_date_is_made_of(order: list[str]) -> None:
    assert complaint_inputs([row(sha, DAY) for sha in order]) == complaint_inputs(
        [row(sha, DAY) for sha in "abcde"]
    )


def test_other_rules_make_every_date_pending_and_the_former_rules_none() -> None:
    days = [DAY + timedelta(days=n) for n in range(3)]
    intake = [row("a", *days)]
    builds = built_from(intake)
    assert pending_dates(intake, builds, AS_OF, "1.1.0+b").chain == days
    assert pending_dates(intake, builds, AS_OF, RULES).chain == []
