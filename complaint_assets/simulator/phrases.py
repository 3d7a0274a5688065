"""What customers say and agents note: texts made of the phrases in ``phrases.yaml``."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import yaml

from .customers import Customer

_SLOT = re.compile(r"\{(\w+)\}")
_PERSONAL = {"place", "phone", "email", "account", "customer"}


class Template(NamedTuple):
    """A phrase with ``%s`` for each slot; a slot is its values, or the name of something of the customer's."""

    format: str
    slots: tuple[Sequence[str] | str, ...]


class Theme(NamedTuple):
    """A matter that customers get in touch about; ``plain`` ones are no complaints."""

    name: str
    plain: bool
    topic: str
    category: tuple[str, str]
    said: list[Template]
    noted: list[Template]


class Style(NamedTuple):
    """How people write on a channel: which openers, and how likely the other parts are."""

    openers: str | None = None
    opener: float = 0.0
    loss: float = 0.0
    ask: float = 0.0
    sign: float = 0.0
    contact: float = 0.04
    hashtag: float = 0.0
    emoji: float = 0.0
    sloppy: float = 0.0
    """How likely a text is all lower case; a tenth as likely it is all upper case."""


STYLES = {
    "social": Style("social", 0.85, 0.25, 0.35, 0, 0.02, 0.2, 0.25, 0.15),
    "sms": Style("chat", 0.15, 0.15, 0.3, 0, 0.03, 0, 0, 0.35),
    "whatsapp": Style("chat", 0.5, 0.3, 0.4, 0, 0.06, 0, 0.15, 0.25),
    "form": Style("form", 0.6, 0.6, 0.7, 0.4, 0.12),
    "app": Style(None, 0, 0.4, 0.5, 0, 0.05, 0, 0.03, 0.1),
    "comment": Style(None, 0, 0.15, 0.1, 0, 0.01, 0, 0.02, 0.2),
}


class Phrases:
    """The phrases, ready to be filled."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        slots: dict[str, list[str]] = data["slots"]

        def templates(lines: Sequence[str]) -> list[Template]:
            return [
                Template(
                    _SLOT.sub("%s", line.replace("%", "%%")),
                    tuple(name if name in _PERSONAL else slots[name] for name in _SLOT.findall(line)),
                )
                for line in lines
            ]

        self.themes = {
            name: Theme(
                name,
                theme.get("plain", False),
                theme["topic"],
                (theme["category"][0], theme["category"][1]),
                templates(theme["said"]),
                templates(theme["noted"]),
            )
            for name, theme in data["themes"].items()
        }
        self._openers = {name: templates(lines) for name, lines in data["openers"].items()}
        self._remarks: dict[str, list[str]] = data["remarks"]
        self._emoji: dict[str, list[str]] = data["emoji"]
        self._losses, self._asks, self._signs, self._contacts, self._edits, self._hashtags, self._actions = (
            templates(data[key]) for key in ("losses", "asks", "signs", "contacts", "edits", "hashtags", "actions")
        )

    def say(self, rng: Random, theme: Theme, style: Style, author: Customer) -> str:
        """What ``author`` writes about ``theme`` on a channel with that ``style``."""
        chance = rng.random
        parts = []
        if style.openers and chance() < style.opener:
            parts.append(_pick(rng, self._openers[style.openers], author))
        parts.append(_pick(rng, theme.said, author))
        if not theme.plain:
            if chance() < style.loss:
                parts.append(_pick(rng, self._losses, author))
            if chance() < style.ask:
                parts.append(_pick(rng, self._asks, author))
            if chance() < style.contact:
                parts.append(_pick(rng, self._contacts, author))
        if chance() < style.sign:
            parts.append(_pick(rng, self._signs, author))
        if chance() < style.hashtag:
            parts.append(_pick(rng, self._hashtags, author))
        text = " ".join(parts)
        case = chance()
        if case < style.sloppy:
            text = text.lower()
        elif case > 1 - style.sloppy / 10:
            text = text.upper()
        if chance() < style.emoji:
            text += " " + rng.choice(self._emoji["glad" if theme.plain else "angry"])
        return text

    def note(self, rng: Random, theme: Theme, caller: Customer) -> str:
        """What an agent notes down about a call; nothing outside cp1252."""
        text = _pick(rng, theme.noted, caller)
        if rng.random() < 0.6:
            # Agents press Enter in the notes field.
            text += ("\r\n" if rng.random() < 0.15 else " ") + _pick(rng, self._actions, caller)
        if rng.random() < 0.06:
            text += " " + _pick(rng, self._contacts, caller)
        return text

    def remark(self, rng: Random, mood: str) -> str:
        """A few words that many people write alike; ``mood`` is bad, fair or good."""
        return rng.choice(self._remarks[mood])

    def edit(self, rng: Random, author: Customer) -> str:
        """What an author adds when editing a post."""
        return _pick(rng, self._edits, author)


def _pick(rng: Random, templates: Sequence[Template], person: Customer) -> str:
    template = templates[int(rng.random() * len(templates))]
    if not template.slots:
        return template.format % ()
    values = []
    for slot in template.slots:
        choices = _personal(rng, slot, person) if isinstance(slot, str) else slot
        values.append(choices[int(rng.random() * len(choices))])
    return template.format % tuple(values)


def _personal(rng: Random, slot: str, person: Customer) -> Sequence[str]:
    """What a slot about the customer can be filled with."""
    match slot:
        case "place":
            return person.city.names
        case "phone":
            return (spoken_phone(rng, person.phone),)
        case "email":
            return (person.email,)
        case "account":
            return (person.account,)
        case _:
            return (person.name,)


def spoken_phone(rng: Random, phone: str) -> str:
    """An E.164 ``phone`` of Nigeria in one of the ways in which people write theirs."""
    local = "0" + phone[4:]
    spaced, dashed = f"{local[:4]} {local[4:7]} {local[7:]}", f"{local[:4]}-{local[4:]}"
    return rng.choice((phone, local, local, local, spaced, dashed))


@cache
def load_phrases() -> Phrases:
    """The built-in phrases."""
    text = (Path(__file__).parent / "phrases.yaml").read_text(encoding="utf-8")
    return Phrases(yaml.safe_load(text))
