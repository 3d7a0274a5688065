"""The two reports: one self-contained page for network operations, one for CX and reporting.

What is told is in ``data``, the frame of the page in ``page``, the drawings in ``charts``; the sections say
what is shown and the one sentence to take away from it. Nothing here reads a clock.
"""

from collections.abc import Sequence

from . import charts
from .breakdowns import channel_section, heat_section, sentiment_section, severity_section
from .data import OperationsData, Period, ReportData, ReportingData, records
from .page import Html, join, page
from .sections import health_section, surge_section, volume_section
from .tiles import operations_tiles, reporting_tiles, status
from .words import OPERATIONS, REPORTING, Words, ordered_surges

__all__ = ["OperationsData", "Period", "ReportingData", "operations_report", "reporting_report"]


def operations_report(data: OperationsData) -> str:
    """The page for network operations: what is happening now, and where to act first."""
    ahead = [
        charts.Ahead(row["bucket_start"], row["expected"], row["lower_80"], row["upper_80"])
        for row in records(data.forecast, "bucket_start")
    ]
    return _report(data, OPERATIONS, ahead, operations_tiles(data))


def reporting_report(data: ReportingData) -> str:
    """The page for CX and reporting: how the week went against the week before."""
    return _report(data, REPORTING, [], reporting_tiles(data))


def _report(data: ReportData, words: Words, ahead: Sequence[charts.Ahead], tiles: Sequence[Html]) -> str:
    surges = ordered_surges(data)
    content = [
        Html(f'<ul class="tiles">{join(tiles)}</ul>'),
        surge_section(data, surges),
        volume_section(data, words, surges, ahead),
        heat_section(data, words),
        _pair(channel_section(data, words), health_section(data, words)),
        _pair(sentiment_section(data, words), severity_section(data, words)),
    ]
    return page(words.title, status(data, surges), content)


def _pair(left: Html, right: Html) -> Html:
    return Html(f'<div class="pair">{left}{right}</div>')
