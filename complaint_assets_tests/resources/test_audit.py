"""The audit log: what is in it cannot be changed, and it survives a writer that dies."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from resources.audit import AuditLog, TamperedAudit

KEY = b"k" * 32
AT = datetime(2026, 11, 24, 9, tzinfo=UTC)


class Books:
    """A log with three rows, and its files."""

    def __init__(self, folder: Path) -> None:
        self.file, self.head = folder / "audit" / "log.jsonl", folder / "elsewhere" / "head"
        self.log = AuditLog(self.file, self.head, KEY)
        for number in range(3):
            self.log.append(AT + timedelta(minutes=number), "erase", {"rows": number})

    def lines(self) -> list[bytes]:
        return self.file.read_bytes().splitlines(keepends=True)

    def write(self, lines: list[bytes]) -> None:
        self.file.write_bytes(b"".join(lines))


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def edited(line: bytes) -> bytes:
    row = json.loads(line)
    row["details"]["rows"] = 99
    return json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n"


TAMPERINGS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "edited": lambda lines: [lines[0], edited(lines[1]), lines[2]],
    "deleted": lambda lines: [lines[0], lines[2]],
    "first_deleted": lambda lines: lines[1:],
    "reordered": lambda lines: [lines[0], lines[2], lines[1]],
    "doubled": lambda lines: [*lines, lines[2]],
    "truncated": lambda lines: lines[:2],
    "emptied": lambda lines: [],
    "garbage": lambda lines: [lines[0], b"nonsense\n", lines[2]],
    "wrong_shape": lambda lines: [lines[0], b"[]\n", lines[2]],
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_detected_and_nothing_is_added_to_a_tampered_log(books: Books, how: str) -> None:
    books.write(TAMPERINGS[how](books.lines()))
    tampered = books.file.read_bytes()
    with pytest.raises(TamperedAudit):
        books.log.rows()
    with pytest.raises(TamperedAudit):
        books.log.append(AT, "erase", {})
    assert books.file.read_bytes() == tampered


def test_a_log_removed_with_everything_but_its_head_is_detected(books: Books) -> None:
    books.file.unlink()
    with pytest.raises(TamperedAudit):
        books.log.rows()


@pytest.mark.parametrize("head", [None, b"{}", b'{"number": 2, "digest": "00", "mac": "00"}'])
def test_a_head_that_is_missing_or_forged_is_detected(books: Books, head: bytes | None) -> None:
    books.head.unlink()
    if head is not None:
        books.head.write_bytes(head)
    with pytest.raises(TamperedAudit):
        books.log.rows()


def test_rows_made_under_another_key_are_refused(books: Books) -> None:
    with pytest.raises(TamperedAudit):
        AuditLog(books.file, books.head, b"x" * 32).rows()


def test_rows_come_back_as_they_were_written(books: Books) -> None:
    rows = books.log.rows()
    assert [row["details"]["rows"] for row in rows] == [0, 1, 2]
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert books.log.rows("retention") == []


def test_a_row_that_a_killed_writer_left_unfinished_is_dropped(books: Books) -> None:
    with books.file.open("ab") as file:
        file.write(b'{"number": 4, "act')
    assert len(books.log.rows()) == 3
    books.log.append(AT, "retention", {})
    assert [row["action"] for row in books.log.rows()][3:] == ["retention"]


def test_a_row_whose_head_a_killed_writer_did_not_write_counts(books: Books) -> None:
    head = books.head.read_bytes()
    books.log.append(AT, "retention", {})
    books.head.write_bytes(head)
    assert len(books.log.rows()) == 4
    books.log.append(AT, "retention", {})
    assert len(books.log.rows()) == 5


def test_writers_at_once_make_one_chain(
    tmp_path: Path, together: Callable[[str, list[list[object]]], list[Any]]
) -> None:
    script = """
from datetime import UTC, datetime
from pathlib import Path
from resources.audit import AuditLog
log = AuditLog(Path(sys.argv[1]) / "log", Path(sys.argv[1]) / "head", b"k" * 32)
ready()
print(json.dumps([log.append(datetime.now(UTC), "erase", {})["number"] for _ in range(10)]))
"""
    numbers = together(script, [[tmp_path], [tmp_path]])
    assert sorted(number for mine in numbers for number in mine) == list(range(1, 21))
    assert len(AuditLog(tmp_path / "log", tmp_path / "head", KEY).rows()) == 20


def test_reading_a_log_that_does_not_exist_leaves_no_trace(tmp_path: Path) -> None:
    assert AuditLog(tmp_path / "a" / "log", tmp_path / "b" / "head", KEY).rows() == []
    assert list(tmp_path.iterdir()) == []


def test_a_token_depends_on_key_and_value_and_holds_neither(books: Books) -> None:
    other = AuditLog(books.file, books.head, b"x" * 32)
    assert books.log.token("phone|+2348031234567") != other.token("phone|+2348031234567")
    assert books.log.token("a") != books.log.token("b")
    assert len(books.log.token("a")) == 32
