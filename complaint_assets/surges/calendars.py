"""Reads the file of holidays and subscribers that surges know of."""

from functools import lru_cache
from pathlib import Path

import yaml

from complaint_assets.logic.surges.calendar import Calendar

_MOST_BYTES = 1_000_000


@lru_cache(maxsize=8)
def load_calendar(path: Path | None) -> Calendar:
    """The calendar in the YAML file ``path``; an empty one if there is none.

    Raises:
        ValueError: the file is absent, too large, no YAML, or says what a calendar cannot; file and key are named.
    """
    if path is None:
        return Calendar()
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"larger than {_MOST_BYTES} bytes")
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(content, dict):
            raise ValueError("expected the keys holidays and subscribers")
        return Calendar.of(content)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"COMPLAINTS_CALENDAR: {path}: {error}") from None
