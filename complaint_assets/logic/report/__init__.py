"""The reports: one self-contained page per role, of the sections that ``roles.yaml`` names for it.

What is told is in ``data``, how it is computed in ``figures``, the frame of the page in ``page``, the drawings
in ``charts``; the other modules hold sections: what is shown, and the one sentence to take away. Nothing here
reads a clock.
"""

from collections.abc import Callable, Mapping

from .breakdowns import channel_section, heat_section, language_section, sentiment_section, severity_section
from .care import ageing_section, month_section, rate_section, repeat_section, resolution_section
from .data import ReportData
from .machinery import (
    agreement_section,
    audit_section,
    health_section,
    provenance_section,
    restatement_section,
    rule_section,
    term_section,
)
from .page import Html, page
from .sections import surge_section, volume_section
from .tiles import status, tile_section
from .words import title_of

__all__ = ["SECTIONS", "ReportData", "report"]

SECTIONS: Mapping[str, Callable[[ReportData], Html]] = {
    "surges": surge_section,
    "volume": volume_section,
    "heat": heat_section,
    "channels": channel_section,
    "sentiment": sentiment_section,
    "severity": severity_section,
    "languages": language_section,
    "resolution": resolution_section,
    "ageing": ageing_section,
    "repeats": repeat_section,
    "rate": rate_section,
    "months": month_section,
    "terms": term_section,
    "restatements": restatement_section,
    "agreement": agreement_section,
    "audit": audit_section,
    "health": health_section,
    "rules": rule_section,
    "provenance": provenance_section,
}


def report(data: ReportData) -> str:
    """The page of ``data.role``: its tiles and its sections, in order."""
    sections = filter(None, (SECTIONS[name](data) for name in data.role.report.sections))
    return page(title_of(data), status(data), [tile_section(data), *sections])
