"""The words of the reports: what a page compares, how figures read, and names for codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from complaint_assets.logic.marts.metrics import Metric

from .data import ReportData
from .page import SPACE, UNSHOWN, known, number

CHANNEL_NAMES = {
    "social": "Social",
    "sms": "SMS",
    "whatsapp": "WhatsApp",
    "call_centre": "Call centre",
    "web_form": "Web form",
    "survey": "Survey",
}
ACRONYMS = {"sim": "SIM", "sms": "SMS", "otp": "OTP", "ussd": "USSD"}
REGION_NAMES = {"unknown": "Region unknown", "other": "Other (small cells)"}
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Period:
    """What a page compares and how fine its charts are.

    Attributes:
        name: The period reported on.
        before: The one that it is compared with.
        length: The length of the period.
        bucket: One bucket of its charts, an hour or a day.
        shown: What charts over time show.
        spark: Buckets of a tile's course.
    """

    name: str
    before: str
    length: timedelta
    bucket: Literal["hour", "day"]
    shown: timedelta
    spark: int

    @property
    def step(self) -> timedelta:
        """The length of a bucket."""
        return HOUR if self.bucket == "hour" else DAY

    @property
    def unit(self) -> str:
        """The bucket as a unit of time."""
        return "h" if self.bucket == "hour" else "D"

    @property
    def dimension(self) -> str:
        """The bucket as a dimension of the metrics."""
        return "event_hour" if self.bucket == "hour" else "event_date"

    @property
    def back(self) -> timedelta:
        """How long before it the compared one lies: whole weeks, so that weekdays meet weekdays."""
        return -(-self.length // WEEK) * WEEK


PERIODS: Mapping[str, Period] = {
    "day": Period(
        name="last 24 hours",
        before="the same hours a week before",
        length=DAY,
        bucket="hour",
        shown=2 * WEEK,
        spark=72,
    ),
    "week": Period(
        name="last 7 days", before="the 7 days before", length=WEEK, bucket="day", shown=8 * WEEK, spark=56
    ),
    "month": Period(
        name="last 28 days", before="the 28 days before", length=4 * WEEK, bucket="day", shown=12 * WEEK, spark=84
    ),
}


def over(data: ReportData) -> Period:
    return PERIODS[data.role.report.over]


def title_of(data: ReportData) -> str:
    return f"Complaints: report for {data.role.audience}"


def label(code: str) -> str:
    """A code of the taxonomy, or the name of a metric, as words."""
    words = " ".join(ACRONYMS.get(word, word) for word in code.replace("_", " ").replace(".", ": ").split())
    return words[:1].upper() + words[1:]


def channel_name(code: str) -> str:
    return CHANNEL_NAMES.get(code, code)


def region_name(data: ReportData, code: str) -> str:
    return data.region_names.get(code, REGION_NAMES.get(code, code))


def counted(value: float, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def percent(value: Any) -> str:
    """A share from 0 to 1, as people read it."""
    if not known(value):
        return UNSHOWN
    return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def figure(metric: Metric, value: Any) -> str:
    """A value of ``metric`` in its unit."""
    if metric.unit == "share":
        return percent(value)
    if metric.unit == "hours" and known(value):
        return f"{number(value, metric.decimals)}{SPACE}h"
    return number(value, metric.decimals)


def ordered_surges(data: ReportData) -> list[dict[str, Any]]:
    """Open surges first, the worst first, then the latest."""
    found = data.rows("surges", "surge_id")
    found.sort(key=lambda row: row["started_at"], reverse=True)
    return sorted(found, key=lambda row: (row["status"] != "open", row["severity"]))
