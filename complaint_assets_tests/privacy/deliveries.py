"""Ada and others write through six feeds: what her erasure must remove, and what it must leave."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

ADA, ADA_MAIL = "+2348031234567", "ada.obi@mail.ng"
OTHERS = ["+2348059876543", "+2347061112222"]
CHATS = """
channel: whatsapp
source: chats
version: "1.0"
description: Exported chats of the care line.
owner: team:messaging
format:
  type: whatsapp_export
  encoding: utf-8
  headers: ["%d/%m/%Y, %H:%M - "]
occurred_at:
  fields: [time]
  timezone: Africa/Lagos
author:
  - {field: sender, kind: phone}
text:
  fields: [text]
retention_days: 365
"""
CASES = (
    "\n\n\n\nCase ID,Opened,Closed,Caller Number,Account No,Customer Name,Agent,Category,Sub Category,Notes,"
    "Rating,Status,City,State\n"
)


def write(home: Path, day: date) -> None:
    """Put everybody's deliveries of ``day`` into the inbox of ``home``."""
    inbox, iso = home / "inbox", day.isoformat()
    at = f"{iso} 10:00:00"
    ada, obi, eze = ADA, *OTHERS
    national = "0" + ada[4:]
    put(
        inbox / "web_form" / "website" / iso / f"form {national}.csv",
        "submission_id,submitted_at,name,phone,email,topic,message,city,state,latitude,longitude,page\n"
        f"w1,{iso}T09:00:00Z,Ada Obi,{national},{ADA_MAIL},Network,My internet is down,Ikeja,Lagos,,,/help\n"
        f"w2,{iso}T09:01:00Z,Obi Eze,{obi},,Billing,I was charged twice,Ikeja,Lagos,,,/help\n",
    )
    put(
        inbox / "sms" / "gateway" / f"{iso}T10" / "sms.jsonl",
        sms("s1", ada, at, "no network since morning")
        + sms("s2", obi, at, f"my sister has no network either, her number is {national[:4]} {national[4:]}")
        + sms("s3", eze, at, "how do I buy data")
        + sms("s4", ada, "never", "this one cannot be read")
        + "broken\n",
    )
    put(
        inbox / "whatsapp" / "cloud_api" / f"{iso}T10" / "hook.jsonl",
        whatsapp(day, [ada, obi]) + whatsapp(day, [eze]),
    )
    put(
        inbox / "whatsapp" / "chats" / f"{iso}T10" / "chat.txt",
        f"{day:%d/%m/%Y}, 10:05 - +234 803 123 4567: the line is dead\nstill dead\n"
        f"{day:%d/%m/%Y}, 10:06 - {eze}: recharge failed\n",
    )
    path = inbox / "survey" / "nps" / iso / "nps.xlsx"
    path.parent.mkdir(parents=True)
    path.write_bytes(workbook(day))
    put(
        inbox / "call_centre" / "contact_log" / iso / "cases.csv",
        CASES + f"c1,{day:%d/%m/%Y} 09:00,,{obi},AC-1,Obi Eze,Joy,Network,Slow,slow internet,3,Open,Ikeja,Lagos\n",
    )


def sms(number: str, sender: str, at: str, text: str) -> str:
    record = {"messageId": number + at[:10], "receivedAt": at, "from": sender, "text": text, "to": "1"}
    return json.dumps(record) + "\n"


def whatsapp(day: date, senders: list[str]) -> str:
    stamp = str(int(datetime(day.year, day.month, day.day, 9, tzinfo=UTC).timestamp()))
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": "1"},
        "contacts": [{"wa_id": sender[1:], "profile": {"name": "Somebody"}} for sender in senders],
        "messages": [
            {
                "id": f"wamid.{day}.{OTHERS.index(sender) if sender in OTHERS else 9}",
                "from": sender[1:],
                "timestamp": stamp,
                "type": "text",
                "text": {"body": "my bundle is gone"},
            }
            for sender in senders
        ],
    }
    entry: Any = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}) + "\n"


def workbook(day: date) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    page = book.active
    page.title = "Responses"
    reasons = "Why?"
    for row in (
        ["Survey"],
        [],
        ["Response ID", "Date", "Phone", "How likely are you to recommend us? (0-10)", reasons, "Region"],
        ["n1", f"{day} 11:00:00", int(ADA[1:]), 1, "always down", "Lagos"],
        ["n2", f"{day} 11:05:00", OTHERS[0], 9, "it works", "Lagos"],
    ):
        page.append(row)
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


def yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)
