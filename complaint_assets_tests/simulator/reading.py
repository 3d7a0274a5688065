"""What lies in the simulator's files, read with nothing of the product: each format as its makers describe it."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

import openpyxl

LAGOS = timedelta(hours=1)
HOURLY = ("social", "sms", "whatsapp")


@dataclass
class Found:
    """One record in a file. Without ``id`` or ``at`` it cannot be used, and neither if it is not ``whole``."""

    source: str
    slot: datetime
    fields: Any
    whole: bool = True
    id: str | None = None
    at: datetime | None = None
    is_edit: bool = False
    is_repost: bool = False
    phone: str | None = None
    text: str = ""

    @property
    def is_sound(self) -> bool:
        return self.whole and bool(self.id) and self.at is not None

    @property
    def happened_in(self) -> datetime:
        """Beginning of the slot in which it happened."""
        assert self.at is not None
        at = self.at.replace(minute=0, second=0, microsecond=0)
        return at if self.source.startswith(HOURLY) else at.replace(hour=0)


def moment(value: object, layout: str | None = None, behind_utc: timedelta = LAGOS) -> datetime | None:
    try:
        if layout is None:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        return datetime.strptime(str(value), layout).replace(tzinfo=UTC) - behind_utc
    except ValueError:
        return None


def epoch(value: object, per_second: int = 1) -> datetime | None:
    return datetime.fromtimestamp(int(str(value)) / per_second, UTC) if str(value).isdigit() else None


def national(value: object) -> str | None:
    """The ten digits that a Nigerian number ends with, however it is written."""
    digits = re.sub(r"\D", "", str(value or ""))
    return digits[-10:] if len(digits) >= 10 else None


def of_x(record: Any) -> dict[str, Any]:
    data = record["data"]
    history = data["edit_history_tweet_ids"] or [None]
    return {
        "id": history[0],
        "at": moment(data["created_at"]),
        "is_edit": len(history) > 1,
        "is_repost": "referenced_tweets" in data,
        "text": data["text"],
    }


def of_mastodon(record: Any) -> dict[str, Any]:
    return {
        "id": record["id"],
        "at": moment(record["created_at"]),
        "is_edit": record["edited_at"] is not None,
        "is_repost": record["reblog"] is not None,
        "text": record["content"],
    }


def of_sms(record: Any) -> dict[str, Any]:
    at = moment(record["receivedAt"], "%Y-%m-%d %H:%M:%S")
    return {"id": record["messageId"], "at": at, "phone": national(record["from"]), "text": record["text"]}


def of_whatsapp(record: Any) -> dict[str, Any]:
    return {
        "id": record["id"],
        "at": epoch(record["timestamp"]),
        "phone": national(record["from"]),
        "text": record["text"]["body"],
    }


def of_case(row: Any) -> dict[str, Any]:
    return {
        "id": row["Case ID"],
        "at": moment(row["Opened"], "%d/%m/%Y %H:%M"),
        "phone": national(row["Caller Number"]),
        "text": row["Notes"],
    }


def of_website(row: Any) -> dict[str, Any]:
    return {
        "id": row["submission_id"],
        "at": moment(row["submitted_at"]),
        "phone": national(row["phone"]),
        "text": row["message"],
    }


def of_app(record: Any) -> dict[str, Any]:
    return {
        "id": record["id"],
        "at": epoch(record["created"], 1000),
        "phone": national(record["msisdn"]),
        "text": record["body"],
    }


def of_csat(row: Any) -> dict[str, Any]:
    return {
        "id": row["response_id"],
        "at": moment(row["completed_at"], "%Y-%m-%d %H:%M:%S"),
        "phone": national(row["msisdn"]),
        "text": row["comment"],
    }


def of_nps(row: Any) -> dict[str, Any]:
    at = row["Date"]
    return {
        "id": row["Response ID"],
        "at": at.replace(tzinfo=UTC) - LAGOS if isinstance(at, datetime) else None,
        "phone": national(row["Phone"]),
        "text": row["Why?"] or "",
    }


Values = Iterator[Any]
"""Records as JSON objects or as rows by heading; None for one that is none."""


def json_lines(content: bytes) -> Values:
    for line in content.split(b"\n"):
        if line:
            try:
                yield json.loads(line.decode("utf-8", "surrogateescape"))
            except ValueError:
                yield None


def messages(content: bytes) -> Values:
    for body in json_lines(content):
        if body is None:
            yield None
            continue
        value = body["entry"][0]["changes"][0]["value"]
        yield from ({**message, "contacts": value["contacts"]} for message in value.get("messages", []))


def table(content: bytes, encoding: str = "utf-8", preamble: int = 0) -> Values:
    rows = list(csv.reader(io.StringIO(content.decode(encoding, "surrogateescape"), newline="")))
    header, *rest = rows[preamble:]
    for row in rest:
        if row:
            yield dict(zip(header, row, strict=True)) if len(row) == len(header) else None


def workbook(content: bytes) -> Values:
    sheet = openpyxl.load_workbook(io.BytesIO(content), read_only=True)["Responses"]
    rows = list(sheet.iter_rows(values_only=True))[2:]
    header = [name for name in rows[0] if name is not None]
    for row in rows[1:]:
        beyond = row[len(header) :]
        if any(cell is not None for cell in row):
            # Empty cells at the end of a row are not stored.
            yield None if any(beyond) else dict(zip_longest(header, row[: len(header)]))


READERS: dict[str, tuple[Callable[[bytes], Values], Callable[[Any], dict[str, Any]]]] = {
    "social/x": (json_lines, of_x),
    "social/mastodon": (json_lines, of_mastodon),
    "sms/gateway": (json_lines, of_sms),
    "whatsapp/cloud_api": (messages, of_whatsapp),
    "call_centre/contact_log": (lambda content: table(content, "cp1252", 4), of_case),
    "web_form/website": (table, of_website),
    "web_form/app": (lambda content: iter(json.loads(content.decode("utf-8", "surrogateescape"))), of_app),
    "survey/csat": (table, of_csat),
    "survey/nps": (workbook, of_nps),
}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def slot_of(path: Path) -> datetime:
    return datetime.fromisoformat(path.parent.name).replace(tzinfo=UTC)


def source_of(path: Path) -> str:
    return "/".join(path.parts[-4:-2])


def read(path: Path) -> Iterator[Found]:
    source = source_of(path)
    split, understand = READERS[source]
    for fields in split(path.read_bytes()):
        if fields is None:
            yield Found(source, slot_of(path), fields, whole=False)
            continue
        found = Found(source, slot_of(path), fields, **understand(fields))
        # What is no UTF-8, or no cp1252, was decoded to lone surrogates.
        found.whole = not re.search("[\udc80-\udcff]", found.text)
        yield found
