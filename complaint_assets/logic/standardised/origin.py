"""Where records come from, and the verdict on one that cannot be used: what all parts of standardising share."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Origin:
    """Where the records come from: the raw object and its size, its slot, and when it arrived (UTC)."""

    channel: str
    source: str
    slot: str
    object_sha256: str
    received_at: datetime
    size: int = 0


class Rejected(Exception):
    """The record belongs into the quarantine."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
