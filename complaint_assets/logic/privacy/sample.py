"""A sample of standardised deliveries for other environments: strictly masked, under pseudonyms thrown away.

Whole people are chosen, with everything they sent, so that redeliveries, edits and repeats are in the sample.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

Row = Mapping[str, Any]
SOURCE = "sample"
"""Name of the source, in every channel."""


def chosen(person: str, share: float, seed: int) -> bool:
    """Whether ``person`` is in the sample of ``share``: a matter of person and seed alone."""
    drawn = hashlib.sha256(f"{seed}|{person}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < share * 2**64


def sample(
    rows: Iterable[Row], share: float, seed: int, key: bytes, mask: Callable[[str], str], shift: timedelta
) -> Iterable[dict[str, Any]]:
    """The chosen ones of ``rows`` (columns of ``Standardised``) as records of the contract ``sample``.

    Args:
        rows: deliveries.
        share: of people, 0 to 1.
        seed: which people.
        key: behind the pseudonyms of the sample; whoever throws it away makes them impossible to join.
        mask: the strict profile.
        shift: added to every time.
    """

    def alias(purpose: str, value: str | None) -> str | None:
        if value is None:
            return None
        return hmac.new(key, f"{purpose}|{value}".encode(), hashlib.sha256).hexdigest()[:24]

    def moved(at: datetime | None) -> str | None:
        return None if at is None else (at + shift).isoformat()

    for row in rows:
        if not chosen(row["author_ref"] or row["complaint_id"], share, seed):
            continue
        yield {
            "id": alias("complaint", row["complaint_id"]),
            "version": row["record_version"],
            "feed": row["source"],
            "sent_at": moved(row["occurred_at"]),
            "customer": alias("author", row["author_ref"]),
            "text": mask(row["text"]) if row["text"] else None,
            "rating": row["rating"],
            "category": mask(row["source_category"]) if row["source_category"] else None,
            "status": row["resolution_status"],
            "resolved_at": moved(row["resolved_at"]),
            "place": row["place"],
            "repost": "repost" if row["is_amplification"] else None,
        }


def contract_of(channel: str) -> dict[str, Any]:
    """The contract by which another home reads the sample of ``channel``."""
    return {
        "channel": channel,
        "source": SOURCE,
        "version": "1.0",
        "description": f"Masked sample of the {channel} channel of another environment.",
        "owner": "team:complaint-data",
        "format": {"type": "jsonl", "encoding": "utf-8"},
        "identity": {"record_id": ["id"], "version": "version", "feed": "feed"},
        "occurred_at": {"fields": ["sent_at"]},
        "resolved_at": {"fields": ["resolved_at"]},
        "author": [{"field": "customer", "kind": "platform_id"}],
        "text": {"fields": ["text"]},
        "rating": {"field": "rating", "scale": [1, 5]},
        "category": {"fields": ["category"]},
        "status": {
            "field": "status",
            "values": {name: name for name in ("open", "pending", "resolved", "closed")},
        },
        "place": ["place"],
        "amplification": {"field": "repost"},
        "required": ["id", "sent_at"],
        "freshness": {"cadence_minutes": 1440, "max_age_hours": 8760},
        "retention_days": 30,
    }
