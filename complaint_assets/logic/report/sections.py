"""Sections of a report about time: surges, and the volume beside what was expected."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from . import charts
from .data import ReportData
from .page import (
    Cell,
    Html,
    day,
    details,
    estimate,
    hour,
    join,
    moment,
    number,
    section,
    span,
    table,
    text,
)
from .words import HOUR, channel_name, counted, label, ordered_surges, over, region_name


def _scope(data: ReportData, row: dict[str, Any]) -> str:
    return " · ".join(
        (
            label(row["category"]) if row["category"] else "Several categories",
            region_name(data, row["region"]) if row["region"] else "several regions",
            channel_name(row["channel"]) if row["channel"] else "several channels",
        )
    )


def _drivers(data: ReportData, row: dict[str, Any]) -> str:
    """What moved most in it: the first channel, category and region beside what was usual, and its words."""
    moved = json.loads(row["movers"])
    names: dict[str, Callable[[str], str]] = {
        "channel": channel_name,
        "category": label,
        "region": partial(region_name, data),
    }
    parts = [
        f"{named(first['name'])} {number(first['observed'])} (usual {estimate(first['expected'])})"
        for kind, named in names.items()
        for first in moved.get(kind, ())[:1]
        if first["observed"] >= data.role.small_cell
    ]
    said = [
        f"\N{LEFT DOUBLE QUOTATION MARK}{words}\N{RIGHT DOUBLE QUOTATION MARK}" for words in row["phrases"][:3]
    ]
    return "; ".join([*parts, *([f"words: {', '.join(said)}"] if said else [])])


def surge_section(data: ReportData) -> Html:
    surges = ordered_surges(data)
    title = "Surges: what is open, and what ended lately"
    if not surges:
        return section("surges", title, "No surge is open and none ended lately.", wide=True)
    rows = []
    for index, row in enumerate(surges, start=1):
        ended = row["resolved_at"] or data.made
        lasted = span((ended - row["started_at"]).total_seconds() / 3600)
        state = f"Open for {lasted}" if row["status"] == "open" else f"Resolved after {lasted}"
        state += f", {row['owner']}" if row["owner"] else ""
        rows.append(
            (
                f"#{index}",
                Html(
                    f'<span class="badge {text(row["severity"])}">{text(row["severity"])}</span> '
                    f'<span class="drivers">{text(state)}</span>'
                ),
                Html(f'{text(_scope(data, row))} <span class="key">{text(row["surge_id"])}</span>'),
                number(row["observed"]),
                f"{estimate(row['expected'])} ({estimate(row['lower_90'])} to {estimate(row['upper_95'])})",
                f"{number(row['ratio'], 1)}×",
                Cell(hour(row["started_at"]), "t"),
                Cell(
                    Html(f'{text(row["explanation"])} <span class="drivers">{text(_drivers(data, row))}</span>'),
                    "words",
                ),
            )
        )
    first = surges[0]
    takeaway = (
        f"Act first on #1: {_scope(data, first)}, {number(first['observed'])} complainants where "
        f"{number(first['expected'], 1)} were expected."
        if first["status"] == "open"
        else f"No surge is open; {counted(len(surges), 'surge')} ended lately."
    )
    columns = ("No.", "Severity", "Scope", "Observed", "Expected (band)", "Ratio", "Started (UTC)", "Explanation")
    words = ("Severity", "Scope", "Explanation")
    caption = (
        "Surges, open ones first, with owner and top drivers; observed, expected and its central 90% band count "
        "distinct complainants"
    )
    figures = table(caption, columns, rows, words=words, kind="surges")
    return section("surges", title, takeaway, figures, wide=True)


def volume_section(data: ReportData) -> Html:
    words = over(data)
    surges = ordered_surges(data) if "surges" in data.role.report.sections else []
    title = f"Complainants per {words.bucket} and expected band{', surges marked' if surges else ''}"
    volume = data.rows("volume", "start")
    if not volume:
        return section("volume", title, "No complaint in the time shown.", wide=True)
    points = [
        charts.Point(row["start"], row["complainants"], row["expected"], row["lower_05"], row["upper_95"])
        for row in volume
    ]
    ahead = [
        charts.Ahead(row["bucket_start"], row["expected"], row["lower_80"], row["upper_80"])
        for row in data.rows("forecast", "bucket_start")
    ]
    marks = [
        charts.Mark(row["started_at"], row["last_hour_at"] + HOUR, f"#{index}")
        for index, row in enumerate(surges, start=1)
        if row["last_hour_at"] >= points[0].at
    ]
    judged = [(p.value, p.upper) for p in points if p.value is not None and p.upper is not None]
    above = sum(value > upper for value, upper in judged)
    peak = max(points, key=lambda p: p.value or 0)
    when = moment(peak.at) if words.step == HOUR else f"{day(peak.at)} {peak.at.year}"
    takeaway = f"The peak was {counted(int(peak.value or 0), 'complainant')} on {when}"
    takeaway += f", {estimate(peak.expected)} expected" if peak.expected is not None else ""
    takeaway += (
        f"; {number(above)} of {counted(len(judged), words.bucket)} went above the band."
        if judged
        else "; there is no expectation yet to compare with."
    )
    columns = (words.bucket.capitalize(), "Complaints", "Complainants", "Expected", "Band from", "Band to")
    rows = [
        (
            moment(row["start"]),
            number(row["complaints"]),
            number(row["complainants"]),
            *(estimate(row[name]) for name in ("expected", "lower_05", "upper_95")),
        )
        for row in volume
    ]
    tables = [table(f"Complainants per {words.bucket}, as drawn", columns, rows)]
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
        wide=True,
    )
