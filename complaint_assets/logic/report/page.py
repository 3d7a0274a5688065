"""The frame of a report: escaping, readable numbers, tables, and one self-contained page.

Text is escaped wherever it enters: only ``Html`` passes through ``text`` untouched, and only this
module and ``charts`` make ``Html`` out of anything but escaped text.
"""

import base64
import hashlib
import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from .style import STYLE

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SPACE = "\N{NO-BREAK SPACE}"
UNSHOWN = "–"
"""Stands for a value that is not known, or withheld."""

# Control characters and lone surrogates break a file; direction overrides make text read as something else.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Html(str):
    """Markup, as opposed to text that still has to be escaped."""

    __slots__ = ()


def text(value: object) -> Html:
    """``value`` as markup: escaped, unless it is markup already."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(_HARMFUL.sub("\ufffd", str(value))))


def join(parts: Iterable[object], separator: str = "") -> Html:
    """``parts``, escaped where needed, one after the other."""
    return Html(text(separator).join(text(part) for part in parts))


def known(value: Any) -> bool:
    """False for None, NaN, NaT and NA."""
    return not pd.isna(value)


def number(value: Any, digits: int = 0) -> str:
    """A number for people: thousands separated, a dash where there is none."""
    if not known(value) or math.isinf(value):
        return UNSHOWN
    return f"{value:,.{digits}f}".replace("-", "−")


def estimate(value: Any) -> str:
    """An expected count for people: one decimal where it tells something."""
    return number(value, 0 if known(value) and value >= 100 else 1)


def share(part: Any, whole: Any) -> str:
    """``part`` of ``whole`` in per cent, a dash where there is no whole or either is not known."""
    return f"{part / whole:.0%}" if known(part) and known(whole) and whole else UNSHOWN


def change(current: Any, previous: Any) -> str:
    """The change from ``previous`` to ``current`` in per cent with an arrow, from tenfold on as a factor."""
    if not known(current) or not known(previous):
        return UNSHOWN
    if not previous:
        return "new" if current else UNSHOWN
    if current >= 10 * previous:
        return f"▲ {current / previous:,.0f}×"
    percent = round(100 * (current - previous) / previous)
    arrow = "▲ +" if percent > 0 else "▼ −" if percent < 0 else "= "
    return f"{arrow}{abs(percent):,}%"


def day(at: datetime) -> str:
    """A day such as 9 Nov."""
    return f"{at.day} {MONTHS[at.month - 1]}"


def moment(at: Any) -> str:
    """A time such as 9 Nov 2026 06:00 UTC, a dash where there is none."""
    return f"{day(at)} {at.year} {at:%H:%M} UTC" if known(at) else UNSHOWN


def hour(at: Any) -> str:
    """A time such as 9 Nov 06:00, where the table says that it is UTC; a dash where there is none."""
    return f"{day(at)} {at:%H:%M}" if known(at) else UNSHOWN


def span(hours: float) -> str:
    """A length of time in its readable unit."""
    if hours < 1:
        return f"{hours * 60:.0f}{SPACE}min"
    return f"{hours:.0f}{SPACE}h" if hours < 48 else f"{hours / 24:.1f}{SPACE}days"


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, and the class that styles it."""

    content: object
    kind: str


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    words: Sequence[str] = (),
    kind: str = "",
) -> Html:
    """A table whose first column heads the rows; columns not named in ``words`` hold figures.

    Each cell carries its column's name, so that a narrow screen can show the rows as cards.
    """
    kinds = ["" if index == 0 or name in words else "n" for index, name in enumerate(columns)]
    head = join(
        Html(f'<th scope="col" class="{cls}">{text(name)}</th>') for cls, name in zip(kinds, columns, strict=True)
    )
    body = []
    for first, *rest in rows:
        cells = []
        for cls, name, value in zip(kinds[1:], columns[1:], rest, strict=True):
            cell = value if isinstance(value, Cell) else Cell(value, cls)
            cells.append(Html(f'<td class="{cell.kind}" data-label="{text(name)}">{text(cell.content)}</td>'))
        body.append(Html(f'<tr><th scope="row">{text(first)}</th>{join(cells)}</tr>'))
    return Html(
        f'<div class="scroll" tabindex="0" role="group" aria-label="{text(caption)}">'
        f'<table class="{text(kind)}"><caption><span>{text(caption)}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{join(body)}</tbody></table></div>"
    )


def details(summary: str, content: Html) -> Html:
    """``content`` folded away behind ``summary``."""
    return Html(f"<details><summary>{text(summary)}</summary>{content}</details>")


def section(name: str, title: str, takeaway: str, *content: Html, wide: bool = False) -> Html:
    """A part of the page that opens with the one sentence to remember; ``wide`` = the whole width."""
    return Html(
        f'<section class="{"wide" if wide else "half"}" aria-labelledby="{text(name)}">'
        f'<h2 id="{text(name)}">{text(title)}</h2><p class="takeaway">{text(takeaway)}</p>'
        f"{join(content)}</section>"
    )


def link(address: str, words: str) -> Html:
    """A link that a person may follow; anything but http and https stays text."""
    if not address.startswith(("http://", "https://")):
        return text(address)
    return Html(f'<a href="{text(address)}" rel="noreferrer">{text(words)}</a>')


def page(title: str, header: Html, content: Iterable[Html]) -> str:
    """The whole file. Its policy allows nothing but its one style block: no script, nothing remote."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{text(title)}</h1>{header}</header>\n<main>\n{join(content, chr(10))}\n</main>\n"
        "</body>\n</html>\n"
    )
