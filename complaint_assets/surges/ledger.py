"""The ledger of surges: who took which incident on and what was noted, append-only and chained by keyed hashes.

It lies apart from the warehouse: ids of surges repeat in every rebuild, so what people did joins them again.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from complaint_assets.privacy.erasure import open_vault
from resources.audit import AuditLog
from resources.settings import settings

ACTIONS = ("ack", "assign", "note")
NOTE_LIMIT = 500
_IDENTIFIER = re.compile(r"@|\d[\d\s().-]{5,}\d")


class UnfitNote(ValueError):
    """A note is too long, or holds what looks like a phone number or an address."""


@dataclass
class Care:
    """What people did about one surge."""

    acknowledged_at: str | None = None
    acknowledged_by: str | None = None
    owner: str | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)


class SurgeLedger:
    """Acknowledgements, owners and notes in ``log``."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def add(self, at: datetime, action: str, surge_id: str, by: str, text: str = "") -> None:
        """Append what ``by`` did; durable when this returns.

        Args:
            at: when (UTC).
            action: ack, assign (``text`` is the new owner) or note (``text`` is the note).
            surge_id: the incident.
            by: who did it.
            text: as the action asks; at most 500 characters.

        Raises:
            UnfitNote: a text must not stand there.
            TamperedAudit: the ledger is not what was written.
        """
        for said in (by, text):
            if len(said) > NOTE_LIMIT or _IDENTIFIER.search(said):
                raise UnfitNote(
                    f"names and notes hold at most {NOTE_LIMIT} characters, and no phone number, account or "
                    "e-mail address: say it without"
                )
        self._log.append(at, action, {"surge_id": surge_id, "by": by, "text": text})

    def care(self) -> Mapping[str, Care]:
        """What people did, by surge; the first acknowledgement and the last owner count.

        Raises:
            TamperedAudit: the ledger is not what was written.
        """
        found: dict[str, Care] = {}
        for row in self._log.rows():
            said = row["details"]
            care = found.setdefault(said["surge_id"], Care())
            if row["action"] == "ack":
                care.acknowledged_at = care.acknowledged_at or row["at"]
                care.acknowledged_by = care.acknowledged_by or said["by"]
            elif row["action"] == "assign":
                care.owner = said["text"]
            else:
                care.notes.append({"at": row["at"], "by": said["by"], "note": said["text"]})
        return found

    def acknowledged(self) -> set[str]:
        """The surges that somebody acknowledged, or was made the owner of."""
        return {key for key, care in self.care().items() if care.acknowledged_at or care.owner}


def acknowledged_surges() -> set[str]:
    """The surges of this home that somebody took on; a home without a ledger opens no vault for it.

    Raises:
        TamperedAudit: the ledger is not what was written.
    """
    log = settings().surge_log
    return surge_ledger().acknowledged() if log.exists() or _head(log).exists() else set()


def _head(log: Path) -> Path:
    return log.with_suffix(".head")


def surge_ledger() -> SurgeLedger:
    """The ledger of this home, under a key that outlives rotation."""
    home = settings()
    secret = home.audit_key.get_secret_value().encode() or open_vault(home).secret
    key = hmac.new(secret, b"complaint-assets surges", hashlib.sha256).digest()
    return SurgeLedger(AuditLog(home.surge_log, _head(home.surge_log), key))
