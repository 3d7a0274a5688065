"""Names of people: behind the words that introduce them, and as the customer's own record gives them."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

from complaint_assets.logic.identify import normalise_identifier

from .mask_scan import PLACEHOLDER

_LETTERS = r"[^\W\d_](?:\.(?=[ ][^\W\d_])|(?:[^\W\d_]|['’\-.\u0300-\u036f](?=[^\W\d_])){0,60})"
_NAME_WORDS = rf"{_LETTERS}(?:[ ]{_LETTERS}){{0,3}}"
_CAPITALISED, _LOWER = 3, 2
"""Words that a name has at most behind a cue, with capitals and without."""
_SHORTEST = 3
_KNOWN_LIMIT = 200


@dataclass(frozen=True)
class Cues:
    """How people introduce names, compiled.

    Attributes:
        pattern: a cue (``said`` if it is trusted with lower case too) and the words behind it (``name``).
        not_names: words in lower case that may follow a cue and are no name ("my name is not on the list").
    """

    pattern: re.Pattern[str]
    not_names: frozenset[str]


def compile_cues(
    sayings: Collection[str], openings: Collection[str], titles: Collection[str], not_names: Collection[str]
) -> Cues:
    """Cues out of lists of words.

    Args:
        sayings: "name is": what stands before a name in any case.
        openings: "regards,": what stands before a name with a capital.
        titles: "Mr": as written, with or without a full stop.
        not_names: see ``Cues``.
    """
    said, opened = (_any_of(map(_cue, each)) for each in (sayings, openings))
    titled = _any_of(map(re.escape, titles))
    return Cues(
        re.compile(
            rf"(?<![^\W_])(?:(?:(?P<said>(?i:{said}))|(?i:{opened}))(?:{titled}\.?[ ])?|{titled}\.?[ ])"
            rf"(?P<name>{_NAME_WORDS})"
        ),
        frozenset(not_names),
    )


def _any_of(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(sorted(patterns, key=lambda each: (-len(each), each)))})"


def _cue(words: str) -> str:
    """The pattern of a cue: blanks may be several, a mark at its end may stand apart."""
    spaced = r"[ ]{1,2}".join(re.escape(word) for word in words.rstrip(":,").split())
    if words.endswith(":"):
        return rf"{spaced}[ ]{{0,2}}[:=][ ]{{0,2}}"
    if words.endswith(","):
        return rf"{spaced}[,.!]?\s{{1,3}}"
    return rf"{spaced}[ ]{{1,2}}"


def mask_cued(text: str, cues: Cues) -> str:
    """``text`` with the names behind cues replaced."""
    parts: list[str] = []
    at = look = 0
    while found := cues.pattern.search(text, look):
        start = found.start("name")
        look = start + _length(found, cues.not_names)
        if look > start:
            parts += (text[at:start], "[name]")
            at = look
    return "".join((*parts, text[at:])) if parts else text


def _length(found: re.Match[str], not_names: frozenset[str]) -> int:
    """Characters behind a cue that can be a name."""
    words = found["name"].split(" ")
    capital = words[0][0].isupper()
    if not capital and found["said"] is None:
        return 0  # "Mr bean", "agent: please": not to be trusted
    name: list[str] = []
    for word in words[: _CAPITALISED if capital else _LOWER]:
        if word.casefold() in not_names or word[0].isupper() != capital:
            break
        name.append(word)
    return len(" ".join(name))


def mask_known(text: str, value: str, country: str, not_names: frozenset[str]) -> str:
    """Mask ``value`` in whatever case, and the parts of a name where they are written with a capital.

    Many Nigerian given names are words as well (Grace, Sunday), so a part in lower case is left alone.
    """
    value = " ".join(value.split())
    if not _SHORTEST <= len(value) <= _KNOWN_LIMIT:
        return text
    folded = text.casefold()
    is_name = not any(char.isdigit() or char == "@" for char in value)
    if value.casefold() in folded:
        kind = "name" if is_name else _kind_of(value, country)
        text = _known_pattern(value, True).sub(lambda found: found["keep"] or f"[{kind}]", text)
    if is_name:
        for part in (part.strip(".,;") for part in value.split()):
            if len(part) >= _SHORTEST and part.casefold() in folded and part.casefold() not in not_names:
                text = _known_pattern(part, False).sub(lambda found: found["keep"] or "[name]", text)
    return text


def _kind_of(value: str, country: str) -> str:
    if "@" in value:
        return "email"
    return "phone" if normalise_identifier("phone", value, country) else "id"


@lru_cache(maxsize=4096)
def _known_pattern(value: str, any_case: bool) -> re.Pattern[str]:
    if any_case:
        wanted = rf"(?i:{re.escape(value)})"
    else:
        wanted = "|".join(sorted({re.escape(value.title()), re.escape(value.upper()), re.escape(value)}))
    return re.compile(rf"(?P<keep>{PLACEHOLDER})|(?<!\w)(?:{wanted})(?!\w)")
