"""The head of a report: the status line, the banner about stale data, the tiles with key figures."""

from . import charts
from .data import ReportData, Tile
from .page import UNSHOWN, Html, change, details, join, known, moment, section, span, table, text
from .words import channel_name, counted, figure, label, ordered_surges, over


def status(data: ReportData) -> Html:
    shows_surges = "surges" in data.role.report.sections
    is_open = [row for row in ordered_surges(data) if row["status"] == "open"] if shows_surges else []
    parts = []
    if data.data_until is None:
        parts.append("No data yet")
    elif is_open:
        parts.append(f"{counted(len(is_open), 'open surge')}, the worst {is_open[0]['severity']}")
    elif shows_surges:
        parts.append("No open surge")
    overdue = data.overdue()
    parts.append("stale data" if overdue else "fresh data" if data.data_until else "")
    state = ", ".join(part for part in parts if part)
    closed = f" · closed days up to {moment(data.end)}" if data.role.days == "closed" else ""
    line = Html(
        f'<p class="status"><strong>{text(state[:1].upper() + state[1:])}</strong> · data as of '
        f"<strong>{text(moment(data.data_until))}</strong>{text(closed)} · made {text(moment(data.made))}</p>"
    )
    if data.data_until is None:
        return join([line, Html('<p class="banner">Nothing has arrived: every figure below is empty.</p>')])
    if not overdue:
        return line
    late = "; ".join(
        f"{channel_name(row['channel'])} for {span((data.made - row['newest']).total_seconds() / 3600)} "
        f"(expected within {span(row['stale_after_hours'])})"
        for row in overdue
    )
    banner = Html(
        f'<p class="banner alarm"><strong>Stale data:</strong> nothing new from {text(late)}. '
        "Recent figures are too low.</p>"
    )
    return join([line, banner])


def _compared(tile: Tile) -> str:
    """The change, in words where a direction is good."""
    if not known(tile.current) or not known(tile.previous):
        return ""
    now, before = tile.current or 0, tile.previous or 0
    if tile.metric.unit == "share":
        points = 100 * (now - before)
        moved = f"{'▲ +' if points > 0 else '▼ −' if points < 0 else '= '}{abs(points):.1f} points"
    else:
        moved = change(now, before)
    if tile.metric.good == "none" or now == before or not before:
        return moved
    return f"{moved} ({'better' if (now > before) == (tile.metric.good == 'higher') else 'worse'})"


def _tile(data: ReportData, tile: Tile) -> Html:
    words = over(data)
    name = label(tile.metric.name)
    moved = _compared(tile)
    note = f"{f'{moved} on ' if moved else ''}{words.before}: {figure(tile.metric, tile.previous)}"
    note += "".join(f"; {label(metric.name).lower()} {figure(metric, value)}" for metric, value in tile.beside)
    chart = Html()
    if any(value is not None for value in tile.course):
        caption = f"per {words.bucket}, {counted(len(tile.course), words.bucket)}"
        chart = join(
            [
                charts.sparkline(f"{name} {caption}", tile.course),
                Html(f'<span class="caption">{text(caption)}</span>'),
            ]
        )
    return Html(
        f'<li class="tile"><span class="name">{text(name)}, {text(words.name)}</span>'
        f'<span class="value">{text(figure(tile.metric, tile.current))}</span>'
        f'<span class="note">{text(note)}</span>{chart}</li>'
    )


def tile_section(data: ReportData) -> Html:
    """The tiles, what they mean, and their courses in figures."""
    words = over(data)
    meaning = table(
        f"Key figures, {words.name}",
        ("Metric", "Meaning", "Now", "Before", "Change"),
        [
            (
                tile.metric.name,
                tile.metric.meaning,
                figure(tile.metric, tile.current),
                figure(tile.metric, tile.previous),
                _compared(tile) or UNSHOWN,
            )
            for tile in data.tiles
        ],
        words=("Meaning",),
    )
    courses = table(
        f"Key figures per {words.bucket}, in UTC, as drawn",
        (words.bucket.capitalize(), *(label(tile.metric.name) for tile in data.tiles)),
        [
            (moment(start), *(figure(tile.metric, tile.course[index]) for tile in data.tiles))
            for index, start in enumerate(data.starts)
        ],
    )
    first = data.tiles[0] if data.tiles else None
    takeaway = "No metric is named for this role."
    if first:
        takeaway = f"{label(first.metric.name)} came to {figure(first.metric, first.current)} in the {words.name}"
        known_before = f", {words.before} to {figure(first.metric, first.previous)}"
        takeaway += f"{known_before if known(first.previous) else ''}."
    return section(
        "figures",
        "Key figures",
        takeaway,
        Html(f'<ul class="tiles">{join(_tile(data, tile) for tile in data.tiles)}</ul>'),
        details("What these figures mean, and their courses", join([meaning, courses])),
        wide=True,
    )
