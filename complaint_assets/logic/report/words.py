"""The words of the reports: what differs between the two, and names for codes."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .data import ReportData, records
from .page import number

CHANNEL_NAMES = {
    "social": "Social",
    "sms": "SMS",
    "whatsapp": "WhatsApp",
    "call_centre": "Call centre",
    "web_form": "Web form",
    "survey": "Survey",
}
REGION_NAMES = {"unknown": "Region unknown", "other": "Other (small cells)"}


@dataclass(frozen=True)
class Words:
    """What differs between the two reports in wording and resolution."""

    title: str
    period: str
    before: str
    bucket: str
    step: timedelta
    spark: int


OPERATIONS = Words(
    title="Complaints: operations report",
    period="last 24 hours",
    before="the same hours a week before",
    bucket="hour",
    step=timedelta(hours=1),
    spark=72,
)
REPORTING = Words(
    title="Complaints: CX report",
    period="last 7 days",
    before="the 7 days before",
    bucket="day",
    step=timedelta(days=1),
    spark=56,
)


def label(code: str) -> str:
    """A code of the taxonomy as words."""
    words = code.replace("_", " ").replace(".", ": ")
    return words[:1].upper() + words[1:]


def channel_name(code: str) -> str:
    return CHANNEL_NAMES.get(code, code)


def region_name(data: ReportData, code: str) -> str:
    return data.region_names.get(code, REGION_NAMES.get(code, code))


def counted(value: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def ordered_surges(data: ReportData) -> list[dict[str, Any]]:
    """Open surges first, the worst first, then the latest."""
    found = records(data.surges, "surge_id")
    found.sort(key=lambda row: row["started_at"], reverse=True)
    return sorted(found, key=lambda row: (row["status"] != "open", row["severity"]))


def is_overdue(data: ReportData, row: dict[str, Any]) -> bool:
    last = row["last_received_at"]
    return last is None or data.as_of - last > timedelta(hours=float(row["stale_after_hours"]))
