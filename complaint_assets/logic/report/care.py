"""Sections of a report about how customers are cared for: resolution, ageing, repeats, rates, months."""

from . import charts
from .data import ReportData
from .page import UNSHOWN, Html, change, day, details, join, number, section, share, span, table, text
from .words import counted, label, over, percent, region_name

MOST_BARS = 8


def resolution_section(data: ReportData) -> Html:
    words = over(data)
    title = f"Resolved within the limit of the category, complaints of the {words.name}"
    rows = data.rows("resolution", "category")
    told = [row for row in rows if row["timed"]]
    if not told:
        return section("resolution", title, "No source has told yet when a complaint of this time was resolved.")
    told.sort(key=lambda row: (row["within_limit_share"], row["category"]))
    within, timed = (sum(row[name] for row in told) for name in ("resolved_within_limit", "timed"))
    worst = told[0]
    takeaway = (
        f"{share(within, timed)} of {counted(int(timed), 'resolved complaint')} were within their limit; least in "
        f"{label(worst['category']).lower()}, {percent(worst['within_limit_share'])}."
    )
    drawn = [
        charts.whole(
            label(row["category"]),
            [
                charts.Part("s4", "within the limit", "within", int(row["resolved_within_limit"])),
                charts.Part("negative", "beyond it", "beyond", int(row["resolved_beyond_limit"])),
            ],
        )
        for row in told
    ]
    figures = table(
        f"{title}; hours from contact to resolution",
        ("Category", "Limit", "Resolved", "Within", "Beyond", "Share within", "Median", "80 % within"),
        [
            (
                label(row["category"]),
                span(row["limit_hours"]),
                number(row["timed"]),
                number(row["resolved_within_limit"]),
                number(row["resolved_beyond_limit"]),
                percent(row["within_limit_share"]),
                f"{number(row['median_hours_to_resolve'], 1)} h" if row["timed"] else UNSHOWN,
                f"{number(row['p80_hours_to_resolve'], 1)} h" if row["timed"] else UNSHOWN,
            )
            for row in sorted(rows, key=lambda row: row["category"])
        ],
    )
    legend = charts.parts_legend([("s4", "within the limit"), ("negative", "beyond it")])
    return section(
        "resolution", title, takeaway, legend, charts.bars(drawn), details("The figures of this chart", figures)
    )


def ageing_section(data: ReportData) -> Html:
    words = over(data)
    title = "Open complaints by age, of sources that tell how a matter stands"
    rows = data.rows("ageing", "age")
    told = [row for row in rows if row["current"] or row["previous"]]
    if not told:
        return section("ageing", title, "No complaint is known to be open.")
    whole = sum(row["current"] or 0 for row in rows)
    oldest = rows[-1]
    takeaway = (
        f"{counted(int(whole), 'complaint')} open; {number(oldest['current'] or 0)} of the oldest kind "
        f"({oldest['age']}). The stroke on a bar is {words.before}."
    )
    top = max(max(row["current"] or 0, row["previous"] or 0) for row in told)
    drawn = [
        charts.against_before(
            row["age"],
            row["current"],
            row["previous"],
            top,
            f"{number(row['current'])} · {change(row['current'], row['previous'])}",
        )
        for row in rows
    ]
    figures = table(
        title,
        ("Age in days", "Open", f"Open, {words.before}", "Change"),
        [
            (
                row["age"],
                number(row["current"]),
                number(row["previous"]),
                change(row["current"], row["previous"]),
            )
            for row in rows
        ],
    )
    return section("ageing", title, takeaway, charts.bars(drawn), details("The figures of this chart", figures))


def repeat_section(data: ReportData) -> Html:
    words = over(data)
    title = f"Customers who come back: repeats within 7 days by category, {words.name}"
    rows = [row for row in data.rows("repeats", "category") if row["repeat_rate_7d"] is not None]
    if not rows:
        return section("repeats", title, f"No complaint of a known customer in the {words.name}.")
    rows.sort(key=lambda row: (-row["repeat_rate_7d"], row["category"]))
    top = max(max(row["repeat_rate_7d"], row["before"] or 0) for row in rows)
    drawn = [
        charts.against_before(
            label(row["category"]), row["repeat_rate_7d"], row["before"], top, percent(row["repeat_rate_7d"])
        )
        for row in rows[:MOST_BARS]
    ]
    first = rows[0]
    takeaway = (
        f"Most often in {label(first['category']).lower()}: {percent(first['repeat_rate_7d'])} of "
        f"{counted(int(first['attributed']), 'complaint')} follow one on the same category within 7 days; "
        f"{number(sum(row['reopened'] or 0 for row in rows))} in all reopen a resolved matter. "
        f"The stroke on a bar is {words.before}."
    )
    figures = table(
        title,
        ("Category", "Of known customers", "Within 7 days", "Before", "Within 30 days", "Reopened"),
        [
            (
                label(row["category"]),
                number(row["attributed"]),
                percent(row["repeat_rate_7d"]),
                percent(row["before"]),
                percent(row["repeat_rate_30d"]),
                number(row["reopened"]),
            )
            for row in rows
        ],
    )
    return section("repeats", title, takeaway, charts.bars(drawn), details("The figures of this chart", figures))


def rate_section(data: ReportData) -> Html:
    words = over(data)
    title = f"Complaints per 100,000 subscribers by region, {words.name}"
    rows = [row for row in data.rows("rate", "region") if row["current"] is not None]
    if not rows:  # subscribers by region are not known
        return Html()
    rows.sort(key=lambda row: (-row["current"], row["region"]))
    top = max(max(row["current"], row["previous"] or 0) for row in rows)
    drawn = [
        charts.against_before(
            region_name(data, row["region"]),
            row["current"],
            row["previous"],
            top,
            f"{number(row['current'], 1)} · {change(row['current'], row['previous'])}",
        )
        for row in rows
    ]
    takeaway = (
        f"{region_name(data, rows[0]['region'])} complains most for its size: {number(rows[0]['current'], 1)} per "
        f"100,000 subscribers. The stroke on a bar is {words.before}."
    )
    figures = table(
        title,
        ("Region", "Now", "Before", "Change"),
        [
            (
                region_name(data, row["region"]),
                number(row["current"], 2),
                number(row["previous"], 2),
                change(row["current"], row["previous"]),
            )
            for row in rows
        ],
    )
    return section("rate", title, takeaway, charts.bars(drawn), details("The figures of this chart", figures))


def month_section(data: ReportData) -> Html:
    title = "Complaints by month, and how they were resolved"
    rows = data.rows("months", "month")
    if not any(row["complaints"] for row in rows):
        return section("months", title, "No complaint on a closed day of the last twelve months.", wide=True)
    told = [row for row in rows if row["complaints"] is not None]
    top = max(told, key=lambda row: row["complaints"])
    takeaway = (
        f"Most in {top['month']:%Y-%m}: {counted(int(top['complaints']), 'complaint')}. The month of "
        f"{day(data.end)} {data.end.year} is not over."
    )
    drawn = [
        charts.against_before(
            f"{row['month']:%Y-%m}",
            row["complaints"],
            row["resolved"],
            top["complaints"],
            number(row["complaints"]),
        )
        for row in rows
    ]
    figures = table(
        "Complaints by month; hours from contact to resolution",
        ("Month", "Complaints", "Closed at the source", "Within the limit", "Beyond it", "80 % within"),
        [
            (
                f"{row['month']:%Y-%m}",
                number(row["complaints"]),
                number(row["resolved"]),
                number(row["resolved_within_limit"]),
                number(row["resolved_beyond_limit"]),
                number(row["p80_hours_to_resolve"], 1),
            )
            for row in rows
        ],
        kind="months",
    )
    remark = Html(f'<p class="remark">{text("The stroke on a bar: closed at the source.")}</p>')
    return section("months", title, takeaway, join([remark, charts.bars(drawn)]), figures, wide=True)
