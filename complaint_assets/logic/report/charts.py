"""Inline SVG: each chart has a title and a description; no script, no style attribute.

Bars are drawn in per cent of their width, so they and their labels fit any screen undistorted.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from .page import Html, day, join, number, text

WIDTH, HEIGHT = 960, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 26, 26


@dataclass(frozen=True)
class Point:
    """What happened in one bucket and what was expected of it."""

    at: datetime
    value: float | None
    expected: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Ahead:
    """What is expected of a bucket to come."""

    at: datetime
    expected: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Mark:
    """A stretch of time with a label."""

    start: datetime
    end: datetime
    label: str


@dataclass(frozen=True)
class Part:
    """One part of a bar that adds up to a whole; ``kind`` is its class in the style block."""

    kind: str
    name: str
    short: str
    value: int


def sparkline(title: str, values: Sequence[float | None]) -> Html:
    """The course of ``values`` without axes; a gap where one is missing."""
    top = max((value for value in values if value is not None), default=0) or 1
    step = 120 / max(len(values) - 1, 1)
    lines: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{index * step:.1f},{34 - 31 * value / top:.1f}")
    paths = join(Html(f'<polyline class="spark" points="{" ".join(line)}"/>') for line in lines if line)
    return Html(
        f'<svg viewBox="0 0 120 36" preserveAspectRatio="none" role="img"><title>{text(title)}</title>'
        f'<line class="base" x1="0" x2="120" y1="35" y2="35"/>{paths}</svg>'
    )


def ticks(top: float) -> list[float]:
    """Three to six round numbers from 0 that reach ``top``."""
    rough = max(top, 1) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    step = max(step, 1)
    return [step * index for index in range(math.ceil(max(top, 1) / step) + 1)]


def _midnights(start: datetime, end: datetime) -> list[datetime]:
    """At most ten evenly spaced days within the time shown."""
    first = start.replace(hour=0, minute=0, second=0, microsecond=0)
    every = max(1, math.ceil((end - first) / timedelta(days=10)))
    days = [first + timedelta(days=every * index) for index in range(12)]
    return [at for at in days if start <= at <= end]


def volume(
    name: str, title: str, description: str, points: Sequence[Point], ahead: Sequence[Ahead], marks: Sequence[Mark]
) -> Html:
    """Counts over time with the expected band, what comes next, and marked stretches.

    Args:
        name: Start of the identifiers in the markup.
        title: Name of the chart for those who cannot see it.
        description: What it shows, in a sentence.
        points: At least one bucket, in order of time.
        ahead: Buckets after the last point, in order of time.
        marks: Stretches to mark, labelled at their start.
    """
    start = points[0].at
    end = max([points[-1].at, *(item.at for item in ahead)])
    length = max((end - start).total_seconds(), 1)
    levels = ticks(max([p.value or 0 for p in points] + [p.upper or 0 for p in points] + [a.upper for a in ahead]))

    def x(at: datetime) -> str:
        part = min(max((at - start).total_seconds() / length, 0), 1)
        return f"{LEFT + part * (WIDTH - LEFT - RIGHT):.1f}"

    def y(value: float) -> str:
        return f"{HEIGHT - BOTTOM - value / levels[-1] * (HEIGHT - TOP - BOTTOM):.1f}"

    def line(kind: str, pairs: Sequence[tuple[datetime, float]]) -> Html:
        return Html(f'<polyline class="{kind}" points="{" ".join(f"{x(at)},{y(v)}" for at, v in pairs)}"/>')

    def area(kind: str, low: Sequence[tuple[datetime, float]], high: Sequence[tuple[datetime, float]]) -> Html:
        outline = " ".join(f"{x(at)},{y(v)}" for at, v in [*low, *reversed(high)])
        return Html(f'<polygon class="{kind}" points="{outline}"/>')

    shapes: list[Html] = []
    for level in levels:
        shapes.append(
            Html(
                f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(level)}" y2="{y(level)}"/>'
                f'<text x="{LEFT - 6}" y="{y(level)}" text-anchor="end" dominant-baseline="central">'
                f"{number(level)}</text>"
            )
        )
    for at in _midnights(start, end):
        shapes.append(Html(f'<text x="{x(at)}" y="{HEIGHT - 8}" text-anchor="middle">{day(at)}</text>'))
    for run in _runs(points, lambda p: p.upper is not None):
        shapes.append(area("band", [(p.at, p.lower or 0) for p in run], [(p.at, p.upper or 0) for p in run]))
    if ahead:
        shapes.append(area("next", [(a.at, a.lower) for a in ahead], [(a.at, a.upper) for a in ahead]))
        shapes.append(line("ahead", [(a.at, a.expected) for a in ahead]))
        shapes.append(
            Html(
                f'<line class="now" x1="{x(points[-1].at)}" x2="{x(points[-1].at)}" '
                f'y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            )
        )
    free = WIDTH - 12.0
    for mark in sorted(marks, key=lambda mark: mark.start, reverse=True):
        left = float(x(mark.start))
        right = max(float(x(mark.end)), left + 3)
        free = min(left, free - 22)  # labels of close marks stand side by side
        shapes.append(
            Html(
                f'<rect class="surge" x="{left}" y="{TOP}" width="{right - left:.1f}" '
                f'height="{HEIGHT - TOP - BOTTOM}"/>'
                f'<line class="edge" x1="{left}" x2="{right:.1f}" y1="{TOP}" y2="{TOP}"/>'
                f'<text class="mark" x="{free:.1f}" y="{TOP - 8}">{text(mark.label)}</text>'
            )
        )
    for run in _runs(points, lambda p: p.upper is not None):
        shapes.append(line("usual", [(p.at, p.expected or 0) for p in run]))
    for run in _runs(points, lambda p: p.value is not None):
        shapes.append(line("line", [(p.at, p.value or 0) for p in run]))
    for p in points:
        if p.value is not None and p.upper is not None and p.value > p.upper:
            cx, cy = float(x(p.at)), float(y(p.value))
            corners = f"{cx},{cy - 5} {cx + 5},{cy} {cx},{cy + 5} {cx - 5},{cy}"
            shapes.append(Html(f'<polygon class="over" points="{corners}"/>'))
    return Html(
        f'<div class="chart scroll" tabindex="0" role="group" aria-label="{text(title)}">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{text(title)}</title><desc id="{name}-desc">{text(description)}</desc>'
        f"{join(shapes)}</svg></div>"
    )


def _runs(points: Sequence[Point], known: Callable[[Point], bool]) -> list[list[Point]]:
    """Unbroken stretches of buckets of which something is ``known``."""
    return [list(run) for holds, run in groupby(points, known) if holds]


def volume_legend(ahead: bool, marks: bool) -> Html:
    """What the lines and areas of ``volume`` mean; each differs by its form, not its colour alone."""
    entries = [
        ('<line class="line" x1="0" x2="26" y1="6" y2="6"/>', "observed"),
        ('<line class="usual" x1="0" x2="26" y1="6" y2="6"/>', "expected"),
        ('<rect class="band" width="26" height="12"/>', "90% of quiet times"),
        ('<polygon class="over" points="13,1 18,6 13,11 8,6"/>', "above the band"),
    ]
    if marks:
        entries.append(
            (
                '<rect class="surge" width="26" height="12"/><line class="edge" x1="0" x2="26" y1="1" y2="1"/>',
                "surge, numbered as in its table",
            )
        )
    if ahead:
        entries += [
            ('<line class="ahead" x1="1" x2="26" y1="6" y2="6"/>', "forecast"),
            ('<rect class="next" width="26" height="12"/>', "80% of outcomes"),
        ]
    items = join(
        Html(f'<li><svg viewBox="0 0 26 12" aria-hidden="true">{shape}</svg>{text(label)}</li>')
        for shape, label in entries
    )
    return Html(f'<ul class="legend">{items}</ul>')


def bars(drawn: Sequence[Html]) -> Html:
    """Bars, one below the other."""
    return Html(f'<div class="bars">{join(drawn)}</div>')


def against_before(label: str, current: float | None, previous: float | None, top: float, note: str) -> Html:
    """A bar for ``current`` with a stroke where ``previous`` was, if known; ``top`` is the full width."""
    full = top or 1
    mark = f"{98 * (previous or 0) / full:.2f}%"
    stroke = f'<line class="before" x1="{mark}" x2="{mark}" y1="0" y2="22"/>' if previous is not None else ""
    return Html(
        f'<div class="bar"><span>{text(label)}</span><svg role="img"><title>{text(f"{label}: {note}")}</title>'
        f'<rect class="fill" x="0" y="3" height="16" width="{98 * (current or 0) / full:.2f}%"/>{stroke}</svg>'
        f'<span class="n">{text(note)}</span></div>'
    )


def whole(label: str, parts: Sequence[Part]) -> Html:
    """A bar of full width divided into ``parts``; wide ones are labelled within."""
    total = sum(part.value for part in parts)
    shapes, left = [], 0.0
    for part in parts:
        width = 100 * part.value / total if total else 0
        if width:
            shapes.append(
                Html(
                    f'<rect class="{part.kind}" x="{left:.2f}%" y="1" height="20" '
                    f'width="{max(width - 0.4, 0.2):.2f}%"/>'
                )
            )
        if width >= 14:
            shapes.append(
                Html(
                    f'<text class="on-{part.kind}" x="{left + width / 2:.2f}%" y="11">'
                    f"{text(part.short)} {width:.0f}%</text>"
                )
            )
        left += width
    title = f"{label}: " + ", ".join(f"{part.name} {number(part.value)}" for part in parts)
    return Html(
        f'<div class="bar whole"><span>{text(label)}</span><svg role="img"><title>{text(title)}</title>'
        f'{join(shapes)}</svg><span class="n">{number(total)}</span></div>'
    )


def parts_legend(parts: Sequence[tuple[str, str]]) -> Html:
    """What the parts of ``whole`` mean, as (class, name) in their order."""
    items = join(
        Html(
            f'<li><svg viewBox="0 0 26 12" aria-hidden="true"><rect class="{kind}" x="1" y="1" width="24" '
            f'height="10"/></svg>{text(name)}</li>'
        )
        for kind, name in parts
    )
    return Html(f'<ul class="legend">{items}</ul>')
