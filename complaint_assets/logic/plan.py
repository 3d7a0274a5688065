"""What is out of date: slots to standardise and event dates to rebuild, from the ledger alone.

Every partition remembers a digest of what it was built from. A partition is pending when the digest of
its inputs as they stand differs from the remembered one, as in a build tool. The answer needs no memory
of past requests, so a lost or failed run heals at the next look, and the order of arrival does not matter.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

BASELINE_DAYS = 56
"""Days of history behind an expected count (reference design: eight weeks)."""

EXPIRED = "expired"
"""Stands for the inputs of an event date whose rows retention has removed: it is never built again. What was
made from it keeps its digest, so that nothing behind it is restated."""

NOTHING = hashlib.sha256(b"[]").hexdigest()
"""Checksum of the manifest of a slot from which every object was removed: there is nothing to read in it."""

Row = Mapping[str, Any]


def digest_of(parts: Iterable[str]) -> str:
    """Digest of ``parts`` whatever their order."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def stale_slots(
    unsealed: Iterable[str], sealed: Mapping[str, str], intake: Iterable[Row], versions: Mapping[str, str]
) -> list[str]:
    """Slots of one channel whose raw objects are not all standardised under today's contracts, in order.

    Args:
        unsealed: slots with objects that no manifest lists.
        sealed: checksum of the manifest per slot.
        intake: the channel's intake rows.
        versions: version of the contract of each source of the channel.
    """
    read: dict[str, str] = {}
    outdated: set[str] = set()
    for row in intake:
        read[row["slot"]] = row["manifest_sha256"]
        if versions.get(row["source"], row["contract_version"]) != row["contract_version"]:
            outdated.add(row["slot"])
    changed = {slot for slot, checksum in sealed.items() if read.get(slot, NOTHING) != checksum}
    return sorted(changed.union(unsealed, outdated & sealed.keys()))


def complaint_inputs(intake: Iterable[Row]) -> dict[date, str]:
    """Digest of the objects that each event date is made of."""
    parts: dict[date, list[str]] = defaultdict(list)
    for row in intake:
        for day in row["event_dates"]:
            parts[day].append(f"{row['channel']}/{row['source']}/{row['object_sha256']}/{row['content_digest']}")
    return {day: digest_of(of_day) for day, of_day in parts.items()}


@dataclass(frozen=True)
class Built:
    """What the ledger remembers of one partition."""

    inputs: str
    output: str


Builds = Mapping[str, Mapping[date, Built]]
"""Layer, then event date."""


def enriched_inputs(complaints: Mapping[date, Built], day: date, taxonomy: str) -> str:
    """Digest behind ``enriched_complaints``: the day, the one before (repeats look back), and the rules."""
    before = complaints.get(day - timedelta(days=1))
    return digest_of(
        [f"{day}={complaints[day].output}", f"before={before.output if before else ''}", f"taxonomy={taxonomy}"]
    )


def metric_inputs(facts: Mapping[date, Built], day: date, as_of: datetime) -> str:
    """Digest behind ``surge_metrics``: the day, its baseline, and how much of the day has passed."""
    baseline = (day - timedelta(days=n) for n in range(BASELINE_DAYS + 1))
    parts = [f"{known}={facts[known].output}" for known in baseline if known in facts]
    end = datetime.combine(day + timedelta(days=1), time(), UTC)
    return digest_of([*parts, f"as_of={min(as_of, end).isoformat()}"])


@dataclass(frozen=True)
class PendingDates:
    """Event dates to rebuild: the whole chain, or surge metrics alone (their baseline changed)."""

    chain: list[date]
    metrics: list[date]


def pending_dates(intake: Iterable[Row], builds: Builds, as_of: datetime | None, taxonomy: str) -> PendingDates:
    """Event dates whose partitions differ from what they would be built from now, under the rules ``taxonomy``."""
    wanted = complaint_inputs(intake)
    complaints = builds.get("complaints", {})
    enriched = builds.get("enriched_complaints", {})
    facts = builds.get("complaint_facts", {})
    metrics = builds.get("surge_metrics", {})
    empty = digest_of([])
    expired = {day for day, built in complaints.items() if built.inputs == EXPIRED}

    chain = {
        day
        for day in (wanted.keys() | complaints.keys()) - expired
        if day not in complaints or complaints[day].inputs != wanted.get(day, empty)
    }
    # The day after a rebuilt day is linked to it: rebuild both in one go.
    chain |= {day + timedelta(days=1) for day in chain} & complaints.keys() - expired
    for day in complaints.keys() - expired:
        if (
            day not in enriched
            or enriched[day].inputs != enriched_inputs(complaints, day, taxonomy)
            or day not in facts
            or facts[day].inputs != enriched[day].output
        ):
            chain.add(day)

    stale_metrics = {
        day
        for day in facts.keys() - expired
        if as_of and (day not in metrics or metrics[day].inputs != metric_inputs(facts, day, as_of))
    }
    if chain:
        stale_metrics |= {
            day
            for day in facts.keys() - expired
            if any(day - timedelta(days=BASELINE_DAYS) <= c <= day for c in chain)
        }
    return PendingDates(sorted(chain), sorted(stale_metrics - chain))
