"""What has been kept long enough: decisions from a policy, a moment and what there is. Nothing is removed here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import ibis

DATA_CLASSES = (
    "raw",
    "quarantine",
    "standardised_text",
    "complaint_text",
    "facts",
    "features",
    "aggregates",
    "vault_identifiers",
    "alerts",
    "logs",
    "audit",
)
OF_SOURCE = ("raw", "quarantine", "standardised_text", "complaint_text")
"""Classes that hold the words of a source: its contract's retention_days caps them."""


@dataclass(frozen=True)
class Rule:
    """How long one class of data is kept; ``max_days`` None = without end."""

    data_class: str
    min_days: int
    max_days: int | None
    clock: str
    action: str


@dataclass(frozen=True)
class Hold:
    """A legal hold; every condition that is given must be met."""

    reason: str
    subject: str | None = None
    channel: str | None = None
    source: str | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Policy:
    """The rules of a jurisdiction and what is under legal hold."""

    jurisdiction: str
    version: str
    rules: Mapping[str, Rule]
    holds: tuple[Hold, ...]

    def days(self, data_class: str, source_days: int | None = None) -> int | None:
        """How long ``data_class`` may be kept; None = without end.

        ``source_days``: what the source's contract allows. It shortens, but never below the minimum.
        """
        rule = self.rules[data_class]
        if rule.max_days is None or source_days is None or data_class not in OF_SOURCE:
            return rule.max_days
        return max(rule.min_days, min(rule.max_days, source_days))

    def over(self, data_class: str, since: datetime, now: datetime, source_days: int | None = None) -> bool:
        """Whether what counts from ``since`` on has been kept long enough at ``now``."""
        days = self.days(data_class, source_days)
        return days is not None and since + timedelta(days=days) <= now


def policy_of(data: Mapping[str, Any]) -> Policy:
    """The policy that ``data`` (valid by the JSON Schema) describes.

    Raises:
        ValueError: a class has no rule or an unknown name, a minimum is above its maximum, purposes of a class
            disagree about clock or action, or a class would outlive what it is made from.
    """
    rules: dict[str, Rule] = {}
    for row in data["rules"]:
        name, low, high = row["data_class"], row.get("min_days", 0), row.get("max_days")
        if name not in DATA_CLASSES:
            raise ValueError(f"{name} is no class of data; known are {', '.join(DATA_CLASSES)}")
        if (high is None) != (row["action"] == "keep"):
            raise ValueError(f"{name}, {row['purpose']}: max_days goes with every action but keep")
        if high is not None and low > high:
            raise ValueError(f"{name}, {row['purpose']}: min_days {low} is above max_days {high}")
        rule = Rule(name, low, high, row["clock"], row["action"])
        other = rules.get(name)
        if other is None:
            rules[name] = rule
            continue
        if (other.clock, other.action) != (rule.clock, rule.action):
            raise ValueError(f"{name}: its purposes disagree about clock or action")
        # Kept until the last purpose ends.
        longest = None if None in (other.max_days, high) else max(other.max_days or 0, high or 0)
        rules[name] = Rule(name, max(other.min_days, low), longest, rule.clock, rule.action)
    missing = [name for name in DATA_CLASSES if name not in rules]
    if missing:
        raise ValueError(f"no rule for {', '.join(missing)}")
    for name, limit, why in (
        ("quarantine", "raw", "its bytes lie in the raw objects"),
        ("facts", "features", "features are made from facts with every publication"),
        ("standardised_text", "facts", "the rows that hold the text go with the facts"),
        ("complaint_text", "facts", "the rows that hold the text go with the facts"),
    ):
        if _endless(rules[name].max_days) > _endless(rules[limit].max_days):
            raise ValueError(f"{name} cannot be kept longer than {limit}: {why}")
    for name, allowed in _ACTIONS.items():
        if rules[name].action not in allowed:
            raise ValueError(f"{name}: {rules[name].action} is not possible here; choose {' or '.join(allowed)}")
    return Policy(data["jurisdiction"], data["version"], rules, tuple(map(_hold, data.get("holds", ()))))


_ACTIONS = {
    "raw": ("delete", "keep"),
    "quarantine": ("delete", "keep"),
    "standardised_text": ("mask", "keep"),
    "complaint_text": ("mask", "keep"),
    "facts": ("delete", "keep"),
    "aggregates": ("keep",),
    "vault_identifiers": ("keep",),
    "alerts": ("keep",),
    "logs": ("delete", "keep"),
    "audit": ("keep",),
}


def _endless(days: int | None) -> int:
    return 10**9 if days is None else days


def _hold(row: Mapping[str, Any]) -> Hold:
    dates = [date.fromisoformat(row[name]) if name in row else None for name in ("from", "to")]
    return Hold(row["reason"], row.get("subject"), row.get("channel"), row.get("source"), dates[0], dates[1])


@dataclass(frozen=True)
class Kept:
    """What stands in the lake or the tables: a raw object, or the rows of one source on one event date.

    ``since``: from when on it counts; None = not yet (an open matter). ``subjects``: hashes of its subjects, as
    far as a hold asks for them.
    """

    key: str
    channel: str
    source: str
    since: datetime | None
    event_dates: tuple[date, ...]
    rows: int
    bytes: int = 0
    source_days: int | None = None
    subjects: frozenset[str] = frozenset()


def held(kept: Kept, holds: Iterable[Hold]) -> bool:
    """Whether a legal hold names it."""
    return any(
        (hold.subject is None or hold.subject in kept.subjects)
        and hold.channel in (None, kept.channel)
        and hold.source in (None, f"{kept.channel}/{kept.source}")
        and (
            hold.first is None
            or hold.last is None
            or any(hold.first <= day <= hold.last for day in kept.event_dates)
        )
        for hold in holds
    )


@dataclass(frozen=True)
class Due:
    """What goes, and what a hold keeps although its time is over."""

    go: tuple[Kept, ...]
    held: tuple[Kept, ...]


def due(policy: Policy, data_class: str, found: Iterable[Kept], now: datetime) -> Due:
    """Sort out of ``found`` what has been kept long enough at ``now``, in key order."""
    over = [
        one
        for one in sorted(found, key=lambda one: (one.key, one.channel, one.source))
        if one.since is not None and policy.over(data_class, one.since, now, one.source_days)
    ]
    return Due(
        tuple(one for one in over if not held(one, policy.holds)),
        tuple(one for one in over if held(one, policy.holds)),
    )


def whole_groups(go: Iterable[Kept], every: Iterable[Kept]) -> set[str]:
    """Keys of which every part goes: the rows of an event date leave together or not at all."""
    leaving = set(go)
    staying = {one.key for one in every if one not in leaving}
    return {one.key for one in leaving} - staying


def object_ends(deliveries: ibis.Table, complaints: ibis.Table) -> ibis.Table:
    """Per raw object: when the last of its matters ended, and whether one is open still.

    A matter ends when the source closes it, in whichever delivery, but not before it arrived; where the source
    does not say, when it arrived. Returns source, object_sha256, ended_at, is_open.
    """
    matters = complaints.select("complaint_id", "resolution_status", "resolved_at")
    joined = deliveries.select("source", "object_sha256", "complaint_id", "received_at").left_join(
        matters, "complaint_id"
    )
    is_open = joined.resolution_status.isin(("open", "pending")).fill_null(False) & joined.resolved_at.isnull()
    return joined.group_by("source", "object_sha256").agg(
        ended_at=ibis.greatest(joined.resolved_at.max(), joined.received_at.max()),
        is_open=is_open.any(),
    )
