"""The head of a report: the status line, the banner about stale data, the tiles with key figures."""

from collections.abc import Sequence
from typing import Any

from . import charts
from .data import OperationsData, ReportData, ReportingData, records
from .page import Html, change, join, moment, number, share, span, text
from .words import OPERATIONS, REPORTING, Words, channel_name, counted, is_overdue, ordered_surges


def _overdue(data: ReportData) -> list[dict[str, Any]]:
    """Channels from which nothing came for longer than promised."""
    return [row for row in records(data.health, "channel") if is_overdue(data, row)]


def status(data: ReportData, surges: Sequence[dict[str, Any]]) -> Html:
    is_open = [row for row in surges if row["status"] == "open"]
    if data.data_until is None:
        state = "No data yet"
    elif is_open:
        state = f"{counted(len(is_open), 'open surge')}, the worst {is_open[0]['severity']}"
    else:
        state = "No open surge"
    parts = [
        Html(
            f'<p class="status"><strong>{text(state)}</strong> · data as of '
            f"<strong>{text(moment(data.data_until))}</strong> · made {text(moment(data.as_of))}</p>"
        )
    ]
    overdue = _overdue(data)
    if data.data_until is None:
        parts.append(Html('<p class="banner">Nothing has arrived: every figure below is empty.</p>'))
    elif overdue:
        late = "; ".join(
            f"{channel_name(row['channel'])} {_age(data, row)} (expected within {span(row['stale_after_hours'])})"
            for row in overdue
        )
        parts.append(
            Html(
                '<p class="banner alarm"><strong>Stale data:</strong> nothing new from '
                f"{text(late)}. Recent figures are too low.</p>"
            )
        )
    return join(parts)


def _age(data: ReportData, row: dict[str, Any]) -> str:
    last = row["last_received_at"]
    return "never" if last is None else f"for {span((data.as_of - last).total_seconds() / 3600)}"


def _tile(name: str, value: str, note: str, words: Words, values: Sequence[float | None]) -> Html:
    shown = list(values)[-words.spark :]
    chart = Html()
    if shown:
        caption = f"per {words.bucket}, {counted(len(shown), words.bucket)}"
        chart = join(
            [charts.sparkline(f"{name} {caption}", shown), Html(f'<span class="caption">{text(caption)}</span>')]
        )
    return Html(
        f'<li class="tile"><span class="name">{text(name)}</span><span class="value">{text(value)}</span>'
        f'<span class="note">{text(note)}</span>{chart}</li>'
    )


def _count_tiles(data: ReportData, words: Words, volume: Sequence[dict[str, Any]]) -> list[Html]:
    now, before = data.current, data.previous
    tiles = []
    for name, field in (("Complaints", "complaints"), ("Distinct complainants", "complainants")):
        current, previous = getattr(now, field), getattr(before, field)
        moved = f"{change(current, previous)} on " if previous else ""
        note = f"{moved}{words.before}: {number(previous)}"
        tiles.append(
            _tile(f"{name}, {words.period}", number(current), note, words, [row[field] for row in volume])
        )
    return tiles


def _share_tile(
    name: str, data: ReportData, words: Words, volume: Sequence[dict[str, Any]], part: str, of: str, note: str
) -> Html:
    """A share of the current period with the one before, and its course."""
    before = share(getattr(data.previous, part), getattr(data.previous, of))
    return _tile(
        name,
        share(getattr(data.current, part), getattr(data.current, of)),
        f"{words.before}: {before}; {note}",
        words,
        [row[part] / row[of] if row[of] else None for row in volume],
    )


def _negative_tile(data: ReportData, words: Words, volume: Sequence[dict[str, Any]]) -> Html:
    now = data.current
    note = (
        f"sentiment known for {number(now.with_sentiment)} of {number(now.complaints)} "
        f"({share(now.with_sentiment, now.complaints)})"
    )
    return _share_tile("Negative share", data, words, volume, "negative", "with_sentiment", note)


def operations_tiles(data: OperationsData) -> list[Html]:
    volume = records(data.volume, "start")
    surges = ordered_surges(data)
    is_open = sum(row["status"] == "open" for row in surges)
    active = [sum(row["started_at"] <= at["start"] <= row["last_hour_at"] for row in surges) for at in volume]
    note = f"{counted(len(surges) - is_open, 'other')} ended lately"
    return [
        *_count_tiles(data, OPERATIONS, volume),
        _tile("Open surges", number(is_open), note, OPERATIONS, active),
        _negative_tile(data, OPERATIONS, volume),
    ]


def reporting_tiles(data: ReportingData) -> list[Html]:
    volume = records(data.volume, "start")
    return [
        *_count_tiles(data, REPORTING, volume),
        _share_tile(
            "Repeat share", data, REPORTING, volume, "repeats", "complaints",
            f"{number(data.current.repeats)} complaints raised again within a day",
        ),
        _negative_tile(data, REPORTING, volume),
        _share_tile(
            "Closed at the source", data, REPORTING, volume, "resolved", "complaints",
            f"{number(data.current.resolved)} complaints so far",
        ),
    ]  # fmt: skip
