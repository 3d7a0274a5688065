"""Reads the file of holidays and subscribers that surges know of."""

from functools import lru_cache
from pathlib import Path

from complaint_assets.logic.surges.calendar import Calendar
from resources.yaml_file import UnfitFile, load_yaml


class CalendarError(UnfitFile):
    """The file of holidays and subscribers is wrong; the message names the file and the key at fault."""


@lru_cache(maxsize=8)
def load_calendar(path: Path | None) -> Calendar:
    """The calendar in the YAML file ``path``; an empty one if there is none.

    Raises:
        CalendarError: the file cannot be read, or says what a calendar cannot; file and key are named.
    """
    if path is None:
        return Calendar()
    content = load_yaml(path, CalendarError) or {}
    try:
        if not isinstance(content, dict):
            raise ValueError("expected the keys holidays and subscribers")
        return Calendar.of(content)
    except ValueError as error:
        raise CalendarError(f"{path}: {error}") from None
