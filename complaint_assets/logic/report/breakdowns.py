"""Sections of a report that break the complaints down: by region, channel, language, sentiment and severity."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from complaint_assets.logic.marts.roles import withheld, withheld_in_grid

from . import charts
from .data import ReportData
from .page import UNSHOWN, Cell, Html, change, details, number, section, share, table, text
from .words import channel_name, counted, label, over, percent, region_name

HEAT_ROWS, HEAT_COLUMNS, BAR_ROWS = 10, 8, 8
Counts = tuple[float, float | None]
"""Of the period and of the one before; None = the data does not reach so far back."""


def _axis(
    totals: Mapping[str, float], limit: int, people: Mapping[str, int] | None = None, small_cell: int = 0
) -> list[list[str]]:
    """The ``limit`` codes with most complaints, each by itself, ties by name; then the others as one.

    Codes of fewer than ``small_cell`` people are among the others, who are so many at least themselves.
    """
    crowd = people or {}
    order = sorted(totals, key=lambda code: (-totals[code], code))
    large = [code for code in order if crowd.get(code, 0) >= small_cell]
    leading, rest = large[:limit], [*large[limit:], *(code for code in order if code not in large)]
    while rest and leading and max(crowd.get(code, 0) for code in rest) < small_cell:
        rest.insert(0, leading.pop())
    return [*([code] for code in leading), *([rest] if rest else [])]


def _named(codes: Sequence[str], name: Callable[[str], str]) -> str:
    return name(codes[0]) if len(codes) == 1 else f"{len(codes)} more"


def _tendency(current: float, previous: float | None) -> str:
    """Class of a change: beyond two or four standard deviations of the difference of two counts."""
    if previous is None:
        return ""
    deviations = (current - previous) / max(current + previous, 1) ** 0.5
    if abs(deviations) < 2:
        return ""
    return ("up" if deviations > 0 else "down") + ("2" if abs(deviations) >= 4 else "1")


def heat_section(data: ReportData) -> Html:
    words = over(data)
    title = f"Complaints by category and region, {words.name}, and change"
    cells: dict[tuple[str, str], Counts] = {}
    people: Counter[tuple[str, str]] = Counter()
    for row in data.rows("heat", "category", "region"):
        cells[row["category"], row["region"]] = (row["current"], row["previous"])
        people[row["category"], row["region"]] = int(row["people"])
    if not any(now or then for now, then in cells.values()):
        return section("heat", title, "No complaint in the two periods compared.", wide=True)
    whole: dict[str, dict[str, Counts]] = {"category": {}, "region": {}}
    crowds: dict[str, dict[str, int]] = {"category": {}, "region": {}}
    for by, frame in (("category", "categories"), ("region", "regions")):
        for row in data.rows(frame, by):
            whole[by][row[by]] = (row["current"], row["previous"])
            crowds[by][row[by]] = int(row["people"])
    least = data.role.small_cell
    sizes = {by: {code: now + (then or 0) for code, (now, then) in of.items()} for by, of in whole.items()}
    lines = _axis(sizes["category"], HEAT_ROWS, crowds["category"], least)
    columns = _axis(sizes["region"], HEAT_COLUMNS, crowds["region"], least)

    def total(found: Iterable[Counts]) -> Counts:
        now, then = zip(*found, strict=True)
        return sum(now), None if None in then else sum(part or 0 for part in then)

    def pairs(line: list[str], column: list[str]) -> list[tuple[str, str]]:
        return [(category, region) for category in line for region in column]

    # Of cells gathered into one, the people are those of the largest at least: the parts may share theirs.
    fewest = [[max(people[pair] for pair in pairs(line, column)) for column in columns] for line in lines]
    hidden = withheld_in_grid(fewest, least)

    def shown(counts: Counts, *, hide: bool = False) -> Cell:
        if hide:
            return Cell(Html("<i>withheld</i>"), "")
        if not any(counts):
            return Cell(UNSHOWN, "")
        moved = Html() if counts[1] is None else Html(f" <span>{text(change(*counts))}</span>")
        return Cell(Html(f"<b>{number(counts[0])}</b>{moved}"), _tendency(*counts))

    rows = [
        (
            _named(line, label),
            *(
                shown(total(cells.get(pair, (0, 0)) for pair in pairs(line, column)), hide=hidden[y][x])
                for x, column in enumerate(columns)
            ),
            shown(total(whole["category"][code] for code in line)),
        )
        for y, line in enumerate(lines)
    ]
    rows.append(
        (
            "All categories",
            *(shown(total(whole["region"][code] for code in column)) for column in columns),
            shown(total(whole["category"].values())),
        )
    )
    # Of few people's cells nothing is told in words either.
    unsaid = {
        pair
        for y, line in enumerate(lines)
        for x, column in enumerate(columns)
        for pair in pairs(line, column)
        if hidden[y][x] or (least and len(line) * len(column) > 1)
    }
    grew = [
        (now - (then or 0), key)
        for key, (now, then) in cells.items()
        if _tendency(now, then).startswith("up") and key not in unsaid
    ]
    known = all(then is not None for _, then in cells.values())
    if grew:
        _, (category, region) = min(grew, key=lambda item: (-item[0], item[1]))
        now, then = cells[category, region]
        takeaway = (
            f"The largest rise beyond chance: {label(category)} in {region_name(data, region)}, "
            f"{number(now)} complaints against {number(then)}."
        )
    else:
        takeaway = "No cell rose by more than chance explains."
    if not known:
        largest = max(sorted(whole["category"]), key=lambda code: whole["category"][code][0])
        takeaway = f"{label(largest)} leads, with {counted(whole['category'][largest][0], 'complaint')}."
    remark = (
        f"Complaints in the {words.name} and change on {words.before}. Coloured and bold: beyond 2 standard "
        "deviations of chance; dark: beyond 4."
        if known
        else f"Complaints in the {words.name}; the data does not reach back to {words.before}."
    )
    names = ["Category", *(_named(column, partial(region_name, data)) for column in columns), "All regions"]
    return section(
        "heat",
        title,
        takeaway,
        Html(f'<p class="remark">{text(remark)}</p>'),
        table("Complaints and change", names, rows, kind="heat"),
        wide=True,
    )


def channel_section(data: ReportData) -> Html:
    words = over(data)
    title = f"Channel mix: contacts by channel, {words.name}"
    rows = sorted(data.rows("channels", "channel"), key=lambda row: -(row["current"] or 0))
    if not any(row["current"] for row in rows):
        return section("channels", title, f"No contact in the {words.name}.")
    top = max(max(row["current"] or 0, row["previous"] or 0) for row in rows)
    bars = [
        charts.against_before(
            channel_name(row["channel"]),
            row["current"],
            row["previous"],
            top,
            f"{number(row['current'])} · {percent(row['share'])} · {change(row['current'], row['previous'])}",
        )
        for row in rows
    ]
    first = rows[0]
    takeaway = (
        f"{channel_name(first['channel'])} brought most: {number(first['current'])} contacts, "
        f"{percent(first['share'])} of all. The stroke on a bar is {words.before}."
    )
    figures = table(
        f"Contacts by channel, {words.name}, and {words.before}",
        ("Channel", "Now", "Share", "Before", "Share before", "Change"),
        [
            (
                channel_name(row["channel"]),
                number(row["current"]),
                percent(row["share"]),
                number(row["previous"]),
                percent(row["share_before"]),
                change(row["current"], row["previous"]),
            )
            for row in rows
        ],
    )
    return section("channels", title, takeaway, charts.bars(bars), details("The figures of this chart", figures))


Parts = Sequence[tuple[str, str, str]]
"""Parts of a whole in order: class, name, short name."""
SENTIMENTS: Parts = (
    ("negative", "Negative", "Neg"),
    ("neutral", "Neutral", "Neu"),
    ("positive", "Positive", "Pos"),
    ("unmeasured", "Unmeasured", "?"),
)
SEVERITIES: Parts = (
    ("s1", "1 (low)", "S1"),
    ("s2", "2", "S2"),
    ("s3", "3", "S3"),
    ("s4", "4", "S4"),
    ("s5", "5 (critical)", "S5"),
)


def _gathered(
    by_category: Mapping[str, list[int]], lines: Sequence[list[str]], name: Callable[[str], str] = label
) -> dict[str, list[int]]:
    """The parts of each of ``lines``, by name."""
    return {
        _named(line, name): [sum(column) for column in zip(*(by_category[code] for code in line), strict=True)]
        for line in lines
    }


def _parts_section(
    name: str,
    title: str,
    takeaway: str,
    rows: dict[str, list[int]],
    parts: Parts,
    hidden: dict[str, list[bool]] | None = None,
) -> Html:
    """Bars of the whole per category; what is ``hidden`` is drawn as one part with what is hidden beside it."""
    drawn = []
    for category, counts in rows.items():
        hide = (hidden or {}).get(category, [False] * len(parts))
        shown = [
            charts.Part(kind, full, short, count)
            for (kind, full, short), count, away in zip(parts, counts, hide, strict=True)
            if not away
        ]
        kept_back = sum(count for count, away in zip(counts, hide, strict=True) if away)
        if kept_back:
            shown.append(charts.Part("unmeasured", "withheld", "", kept_back))
        drawn.append(charts.whole(category, shown))
    figures = table(
        f"{title}: complaints",
        ("Category", *(full for _, full, _ in parts), "All"),
        [
            (
                category,
                *(
                    "withheld" if hidden and hidden[category][at] else number(count)
                    for at, count in enumerate(counts)
                ),
                number(sum(counts)),
            )
            for category, counts in rows.items()
        ],
    )
    legend = [(kind, full) for kind, full, _ in parts]
    if hidden and any(map(any, hidden.values())):
        legend.append(("unmeasured", "withheld: few people"))
    return section(
        name,
        title,
        takeaway,
        charts.parts_legend(legend),
        charts.bars(drawn),
        details("The figures of this chart", figures),
    )


def sentiment_section(data: ReportData) -> Html:
    words = over(data)
    title = f"Sentiment of complaints by category, {words.name}"
    rows = [row for row in data.rows("sentiment", "category") if row["complaints"]]
    if not rows:
        return section("sentiment", title, f"No complaint in the {words.name}.")
    by_category = {}
    for row in rows:
        negative, positive, measured = (int(row[name]) for name in ("negative", "positive", "with_sentiment"))
        unmeasured = int(row["complaints"]) - measured
        by_category[row["category"]] = [negative, measured - negative - positive, positive, unmeasured]
    negative, neutral, positive, unmeasured = (sum(column) for column in zip(*by_category.values(), strict=True))
    measured = negative + neutral + positive
    takeaway = (
        f"{share(negative, measured)} of {number(measured)} complaints with a measured sentiment are negative; "
        f"it is known for {share(measured, measured + unmeasured)} of those shown."
    )
    lines = _axis({code: sum(parts) for code, parts in by_category.items()}, BAR_ROWS)
    return _parts_section("sentiment", title, takeaway, _gathered(by_category, lines), SENTIMENTS)


def severity_section(data: ReportData) -> Html:
    words = over(data)
    title = f"Severity of complaints by category, {words.name}"
    by_category: dict[str, list[int]] = {}
    people: dict[str, list[int]] = {}
    for row in data.rows("severity", "category", "severity"):
        if row["complaints"]:
            at = int(row["severity"]) - 1
            by_category.setdefault(row["category"], [0] * 5)[at] = int(row["complaints"])
            people.setdefault(row["category"], [0] * 5)[at] = int(row["people"])
    if not by_category:
        return section("severity", title, f"No complaint in the {words.name}.")
    crowds = {row["category"]: int(row["people"]) for row in data.rows("categories", "category")}
    least = data.role.small_cell
    lines = _axis({code: sum(levels) for code, levels in by_category.items()}, BAR_ROWS, crowds, least)
    rows = _gathered(by_category, lines)
    fewest = [[max(column) for column in zip(*(people[code] for code in line), strict=True)] for line in lines]
    hidden = dict(zip(rows, (withheld(levels, least) for levels in fewest), strict=True))
    levels = [sum(column) for column in zip(*rows.values(), strict=True)]
    takeaway = f"{share(levels[3] + levels[4], sum(levels))} of complaints are of severity 4 or 5."
    return _parts_section("severity", title, takeaway, rows, SEVERITIES, hidden)


def language_section(data: ReportData) -> Html:
    words = over(data)
    title = f"Complaints by language, and how many have a sentiment, {words.name}"
    rows = sorted(data.rows("languages", "language"), key=lambda row: -(row["complaints"] or 0))
    rows = [row for row in rows if row["complaints"]]
    if not rows:
        return section("languages", title, f"No complaint in the {words.name}.")
    parts: Parts = (("s4", "with a sentiment", "known"), ("unmeasured", "without", "?"))
    by_language = {
        str(row["language"]): [int(row["with_sentiment"]), int(row["complaints"] - row["with_sentiment"])]
        for row in rows
    }
    known, unknown = (sum(column) for column in zip(*by_language.values(), strict=True))
    takeaway = (
        f"{rows[0]['language']} leads with {number(rows[0]['complaints'])} complaints; "
        f"the sentiment of {share(known, known + unknown)} is known."
    )
    lines = _axis({code: sum(counts) for code, counts in by_language.items()}, BAR_ROWS)
    return _parts_section("languages", title, takeaway, _gathered(by_language, lines, str), parts)
