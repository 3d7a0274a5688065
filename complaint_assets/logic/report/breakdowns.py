"""Sections of a report that break the complaints down: by region, channel, sentiment and severity."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from . import charts
from .data import SENTIMENT_BANDS, ReportData, records
from .page import UNSHOWN, Cell, Html, change, details, join, number, section, share, table, text
from .words import Words, channel_name, label, region_name

HEAT_ROWS, HEAT_COLUMNS, BAR_ROWS = 10, 8, 8
SENTIMENT_NAMES = {"negative": "Neg", "neutral": "Neu", "positive": "Pos", "unmeasured": "?"}


def _leading(totals: Counter[str], limit: int) -> list[str]:
    """The ``limit`` codes with most complaints, ties by name."""
    return sorted(totals, key=lambda code: (-totals[code], code))[:limit]


def _tendency(current: int, previous: int) -> str:
    """Class of a change: beyond two or four standard deviations of the difference of two counts."""
    deviations = (current - previous) / max(current + previous, 1) ** 0.5
    if abs(deviations) < 2:
        return ""
    return ("up" if deviations > 0 else "down") + ("2" if abs(deviations) >= 4 else "1")


def heat_section(data: ReportData, words: Words) -> Html:
    title = "Categories by region"
    cells: dict[tuple[str, str], tuple[int, int]] = {}
    for row in records(data.heat, "category", "region"):
        cells[row["category"], row["region"]] = (int(row["current"]), int(row["previous"]))
    if not cells:
        return section("heat", title, "No complaint in the two periods compared.")
    by_category: Counter[str] = Counter()
    by_region: Counter[str] = Counter()
    for (category, region), counts in cells.items():
        by_category[category] += sum(counts)
        by_region[region] += sum(counts)
    categories, regions = _leading(by_category, HEAT_ROWS), _leading(by_region, HEAT_COLUMNS)

    def total(in_row: Iterable[str], in_column: Iterable[str]) -> tuple[int, int]:
        pairs = [cells.get((category, region), (0, 0)) for category in in_row for region in in_column]
        return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)

    lines = [(label(category), [category]) for category in categories]
    columns = [(region_name(data, region), [region]) for region in regions]
    if rest := sorted(by_category.keys() - set(categories)):
        lines.append((f"{len(rest)} more", rest))
    if rest := sorted(by_region.keys() - set(regions)):
        columns.append((f"{len(rest)} more", rest))
    lines.append(("All categories", sorted(by_category)))
    columns.append(("All regions", sorted(by_region)))

    def shown(counts: tuple[int, int]) -> Cell:
        if not any(counts):
            return Cell(UNSHOWN, "")
        return Cell(Html(f"<b>{number(counts[0])}</b> <span>{text(change(*counts))}</span>"), _tendency(*counts))

    rows = [(name, *(shown(total(codes, column)) for _, column in columns)) for name, codes in lines]
    grew = [(now - then, key) for key, (now, then) in cells.items() if _tendency(now, then).startswith("up")]
    if grew:
        _, (category, region) = min(grew, key=lambda item: (-item[0], item[1]))
        now, then = cells[category, region]
        takeaway = (
            f"The largest rise beyond chance: {label(category)} in {region_name(data, region)}, "
            f"{number(now)} complaints against {number(then)}."
        )
    else:
        takeaway = "No cell rose by more than chance explains."
    remark = (
        f"Complaints in the {words.period} and change on {words.before}. Coloured and bold: beyond 2 standard "
        "deviations of chance; dark: beyond 4."
    )
    names = ["Category", *(name for name, _ in columns)]
    return section(
        "heat",
        title,
        takeaway,
        Html(f'<p class="remark">{text(remark)}</p>'),
        table("Complaints and change", names, rows, kind="heat"),
    )


def channel_section(data: ReportData, words: Words) -> Html:
    rows = sorted(records(data.channels, "channel"), key=lambda row: -row["current"])
    title = "Channels"
    whole = sum(row["current"] for row in rows)
    if not rows or not whole:
        return section("channels", title, f"No complaint in the {words.period}.")
    top = max(max(row["current"], row["previous"]) for row in rows)
    bars = [
        charts.against_before(
            channel_name(row["channel"]),
            row["current"],
            row["previous"],
            top,
            f"{number(row['current'])} · {share(row['current'], whole)} · "
            f"{change(row['current'], row['previous'])}",
        )
        for row in rows
    ]
    first = rows[0]
    takeaway = (
        f"{channel_name(first['channel'])} brought most: {number(first['current'])} of {number(whole)} complaints "
        f"({share(first['current'], whole)}). The stroke on a bar is {words.before}."
    )
    figures = table(
        f"Complaints by channel, {words.period}, and {words.before}",
        ("Channel", "Now", "Share", "Before", "Change"),
        [
            (
                channel_name(row["channel"]),
                number(row["current"]),
                share(row["current"], whole),
                number(row["previous"]),
                change(row["current"], row["previous"]),
            )
            for row in rows
        ],
    )
    return section(
        "channels",
        title,
        takeaway,
        Html(f'<div class="bars">{join(bars)}</div>'),
        details("The figures of this chart", figures),
    )


def _pivot(rows: Sequence[dict[str, Any]], by: str) -> dict[str, Counter[Any]]:
    """Complaints per category and ``by``; the largest categories first, the others as one."""
    totals: Counter[str] = Counter()
    for row in rows:
        totals[row["category"]] += int(row["complaints"])
    leading = _leading(totals, BAR_ROWS)
    rest = f"{len(totals) - len(leading)} more"
    by_category: dict[str, Counter[Any]] = {label(code): Counter() for code in leading}
    for row in rows:
        name = label(row["category"]) if row["category"] in leading else rest
        by_category.setdefault(name, Counter())[row[by]] += int(row["complaints"])
    return by_category


def _parts_section(
    name: str,
    title: str,
    takeaway: str,
    by_category: dict[str, Counter[Any]],
    parts: Sequence[tuple[Any, str, str, str]],
) -> Html:
    """Bars of the whole per category; ``parts`` are (value, class, name, short name) in order."""
    bars = [
        charts.whole(
            category, [charts.Part(kind, full, short, counts[value]) for value, kind, full, short in parts]
        )
        for category, counts in by_category.items()
    ]
    figures = table(
        f"{title}: complaints",
        ("Category", *(full for _, _, full, _ in parts), "All"),
        [
            (category, *(number(counts[value]) for value, *_ in parts), number(counts.total()))
            for category, counts in by_category.items()
        ],
    )
    return section(
        name,
        title,
        takeaway,
        charts.parts_legend([(kind, full) for _, kind, full, _ in parts]),
        Html(f'<div class="bars">{join(bars)}</div>'),
        details("The figures of this chart", figures),
    )


def sentiment_section(data: ReportData, words: Words) -> Html:
    by_category = _pivot(records(data.sentiment, "category", "band"), "band")
    if not by_category:
        return section("sentiment", "Sentiment by category", f"No complaint in the {words.period}.")
    bands = sum(by_category.values(), Counter[Any]())
    measured = bands.total() - bands["unmeasured"]
    takeaway = (
        f"{share(bands['negative'], measured)} of {number(measured)} complaints with a measured sentiment are "
        f"negative; it is known for {share(measured, bands.total())} of all."
    )
    parts = [(band, band, label(band), SENTIMENT_NAMES[band]) for band in SENTIMENT_BANDS]
    return _parts_section("sentiment", "Sentiment by category", takeaway, by_category, parts)


def severity_section(data: ReportData, words: Words) -> Html:
    by_category = _pivot(records(data.severity, "category", "severity"), "severity")
    if not by_category:
        return section("severity", "Severity by category", f"No complaint in the {words.period}.")
    levels = sum(by_category.values(), Counter[Any]())
    takeaway = f"{share(levels[4] + levels[5], levels.total())} of complaints are of severity 4 or 5."
    names = {1: "1 (low)", 5: "5 (critical)"}
    parts = [(level, f"s{level}", names.get(level, str(level)), f"S{level}") for level in range(1, 6)]
    return _parts_section("severity", "Severity by category", takeaway, by_category, parts)
