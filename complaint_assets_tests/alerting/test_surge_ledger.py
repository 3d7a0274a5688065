"""What people do about a surge is kept, joins it after a rebuild, and cannot be changed unseen."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from complaint_assets.surges.ledger import SurgeLedger, UnfitNote
from resources.audit import AuditLog, TamperedAudit

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 13, tzinfo=UTC)


def ledger(folder: Path) -> SurgeLedger:
    return SurgeLedger(AuditLog(folder / "surges.jsonl", folder / "surges.head", b"k" * 32))


def test_the_first_acknowledgement_and_the_last_owner_count_and_notes_add_up(tmp_path: Path) -> None:
    assert ledger(tmp_path).care() == {}
    for at, action, by, text in (
        (AT, "ack", "ada", ""),
        (LATER, "ack", "obi", ""),
        (AT, "assign", "ada", "noc-lagos"),
        (LATER, "assign", "obi", "noc-kano"),
        (AT, "note", "ada", "Fibre cut"),
        (LATER, "note", "obi", "Repaired"),
    ):
        ledger(tmp_path).add(at, action, "s1", by, text)
    care = ledger(tmp_path).care()["s1"]
    assert (care.acknowledged_at, care.acknowledged_by) == (AT.isoformat(), "ada")
    assert care.owner == "noc-kano"
    assert [note["note"] for note in care.notes] == ["Fibre cut", "Repaired"]


def test_a_note_alone_acknowledges_nothing_and_an_owner_does(tmp_path: Path) -> None:
    ledger(tmp_path).add(AT, "note", "s1", "ada", "Looking")
    ledger(tmp_path).add(AT, "assign", "s2", "ada", "noc")
    ledger(tmp_path).add(AT, "ack", "s3", "ada")
    assert ledger(tmp_path).acknowledged() == {"s2", "s3"}


@pytest.mark.parametrize("text", ["call 0803 123 4567", "ask ada@example.org", "@ada says", "x" * 501])
def test_a_note_with_an_identifier_or_without_end_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnfitNote) as told:
        ledger(tmp_path).add(AT, "note", "s1", "ada", text)
    assert text not in str(told.value)
    assert ledger(tmp_path).care() == {}
    ledger(tmp_path).add(AT, "note", "s1", "ada", "Repair until 18:00, 2 sites, 23.11.")


def test_an_edited_row_is_found(tmp_path: Path) -> None:
    ledger(tmp_path).add(AT, "ack", "s1", "ada")
    log = tmp_path / "surges.jsonl"
    log.write_text(log.read_text().replace("ada", "obi"))
    with pytest.raises(TamperedAudit):
        ledger(tmp_path).acknowledged()
