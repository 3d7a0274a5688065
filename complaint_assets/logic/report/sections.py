"""Sections of a report about time and machinery: surges, volume, pipeline health."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from . import charts
from .data import ReportData, records
from .page import Cell, Html, day, details, estimate, hour, join, moment, number, section, share, span, table, text
from .words import Words, channel_name, counted, is_overdue, label, region_name


def _empty(words: str) -> Html:
    return Html(f'<p class="empty">{text(words)}</p>')


def _scope(data: ReportData, row: dict[str, Any]) -> str:
    return " · ".join(
        (
            label(row["category"]) if row["category"] else "Several categories",
            region_name(data, row["region"]) if row["region"] else "several regions",
            channel_name(row["channel"]) if row["channel"] else "several channels",
        )
    )


def surge_section(data: ReportData, surges: Sequence[dict[str, Any]]) -> Html:
    if not surges:
        return section("surges", "Surges", "No surge is open and none ended lately.")
    rows = []
    for index, row in enumerate(surges, start=1):
        ended = row["resolved_at"] or data.as_of
        lasted = span((ended - row["started_at"]).total_seconds() / 3600)
        rows.append(
            (
                f"#{index}",
                Html(f'<span class="badge {text(row["severity"])}">{text(row["severity"])}</span>'),
                f"Open for {lasted}" if row["status"] == "open" else f"Resolved after {lasted}",
                Html(f'{text(_scope(data, row))}<span class="key">{text(row["surge_id"])}</span>'),
                number(row["observed"]),
                estimate(row["expected"]),
                f"{number(row['ratio'], 1)}×",
                Cell(hour(row["started_at"]), "t"),
                Cell(row["explanation"], "words"),
            )
        )
    first = surges[0]
    takeaway = (
        f"Act first on #1: {_scope(data, first)}, {number(first['observed'])} complainants where "
        f"{number(first['expected'], 1)} were expected."
        if first["status"] == "open"
        else f"No surge is open; {counted(len(surges), 'surge')} ended lately."
    )
    columns = (
        "No.",
        "Severity",
        "Status",
        "Scope",
        "Observed",
        "Expected",
        "Ratio",
        "Started (UTC)",
        "Explanation",
    )
    words = ("Severity", "Status", "Scope", "Explanation")
    caption = "Surges, open ones first; observed and expected count distinct complainants"
    return section("surges", "Surges", takeaway, table(caption, columns, rows, words=words, kind="surges"))


def volume_section(
    data: ReportData, words: Words, surges: Sequence[dict[str, Any]], ahead: Sequence[charts.Ahead]
) -> Html:
    title = f"Complainants per {words.bucket}"
    volume = records(data.volume, "start")
    if not volume:
        return section("volume", title, "No complaint in the time shown.")
    points = [charts.Point(row["start"], row["complainants"], row["expected"], row["upper_95"]) for row in volume]
    marks = [
        charts.Mark(row["started_at"], row["last_hour_at"] + timedelta(hours=1), f"#{index}")
        for index, row in enumerate(surges, start=1)
        if row["last_hour_at"] >= points[0].at
    ]
    judged = [p for p in points if p.upper is not None]
    above = sum(p.value > p.upper for p in judged if p.upper is not None)
    peak = max(points, key=lambda p: p.value)
    when = moment(peak.at) if words.step < timedelta(days=1) else f"{day(peak.at)} {peak.at.year}"
    takeaway = f"The peak was {counted(int(peak.value), 'complainant')} on {when}"
    takeaway += f", {estimate(peak.expected)} expected" if peak.expected is not None else ""
    takeaway += (
        f"; {number(above)} of {counted(len(judged), words.bucket)} went above the 95% limit."
        if judged
        else "; there is no expectation yet to compare with."
    )
    columns = (words.bucket.capitalize(), "Complaints", "Complainants", "Expected", "95% limit")
    rows = [
        (
            moment(row["start"]),
            number(row["complaints"]),
            number(row["complainants"]),
            estimate(row["expected"]),
            estimate(row["upper_95"]),
        )
        for row in volume
    ]
    tables = [table(f"{title}, as drawn", columns, rows)]
    if ahead:
        tables.append(
            table(
                "Forecast, as drawn",
                (words.bucket.capitalize(), "Expected", "80% from", "80% to"),
                [(moment(a.at), estimate(a.expected), estimate(a.lower), estimate(a.upper)) for a in ahead],
            )
        )
    return section(
        "volume",
        title,
        takeaway,
        charts.volume_legend(ahead=bool(ahead), marks=bool(marks)),
        charts.volume("volume", title, takeaway, points, ahead, marks),
        details("The figures of this chart", join(tables)),
    )


def health_section(data: ReportData, words: Words) -> Html:
    title = "Pipeline health"
    rows = records(data.health, "channel")
    refused = sorted(records(data.quarantine, "reason"), key=lambda row: -row["records"])
    if not rows and not refused:
        return section("health", title, "Nothing has been delivered yet.")
    overdue = [row["channel"] for row in rows if is_overdue(data, row)]
    delivered, twice = (sum(row[field] for row in rows) for field in ("deliveries", "duplicates"))
    waiting = sum(row["records"] for row in refused)
    takeaway = (
        f"{counted(len(overdue), 'channel')} overdue" if overdue else "Every channel is on time"
    ) + f"; {share(twice, delivered)} of deliveries were duplicates; {counted(waiting, 'record')} in quarantine."
    channels = table(
        f"Deliveries by channel, {words.period}; times in UTC",
        ("Channel", "State", "Last arrival", "Limit", "Deliveries", "Duplicates"),
        [
            (
                channel_name(row["channel"]),
                Cell("▲ Overdue", "t bad") if row["channel"] in overdue else Cell("● On time", "t good"),
                Cell(hour(row["last_received_at"]), "t"),
                Cell(span(row["stale_after_hours"]), "t"),
                number(row["deliveries"]),
                number(row["duplicates"]),
            )
            for row in rows
        ],
        words=("State", "Last arrival", "Limit"),
    )
    quarantine = table(
        "Records in quarantine by reason",
        ("Reason", "Records"),
        [(label(row["reason"]), number(row["records"])) for row in refused],
    )
    return section("health", title, takeaway, channels, quarantine if refused else _empty("Quarantine is empty."))
