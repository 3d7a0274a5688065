"""Who has been erased, and by what bytes a person can be recognised.

The erasure ledger knows people by keyed hashes of their identifiers only; ``Markers`` is made from the
identifiers themselves while an erasure runs, and forgotten with it.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from complaint_assets.logic.identify import IdentifierKind, normalise_identifier

GLOBAL_KINDS = ("phone", "email")
"""Kinds that mean the same person in every source; the others only within one register."""

Place = tuple[int, int]
"""Offset and ordinal of a record in its object."""

_GAP = rb"(?:[ ().\-/]|\xc2\xa0|\xe2\x80[\x8b-\x95]){0,3}"
_SHORTEST_BARE = 5


@dataclass(frozen=True)
class Mark:
    """One identifier of a person in its normal form; ``scope``: the register of kinds that are not global."""

    kind: IdentifierKind
    value: str
    scope: str = ""

    @property
    def registered(self) -> str:
        """The value as the vault knows it."""
        return f"{self.scope}|{self.value}" if self.scope else self.value

    @property
    def identity(self) -> str:
        """What is hashed in the ledger."""
        return f"{self.kind}|{self.registered}"


def mark_of(kind: str, registered: str) -> Mark:
    """The mark that the vault knows as ``registered``."""
    scope, _, value = ("", "", registered) if kind in GLOBAL_KINDS else registered.partition("|")
    return Mark(cast("IdentifierKind", kind), value, scope)


@dataclass(frozen=True)
class Erased:
    """The erasure ledger: hashes of identifiers, and up to when their records are gone."""

    token: Callable[[str], str]
    until: Mapping[str, datetime]
    replaced: Collection[str] = ()
    """Objects (SHA-256) in the place of which others stand: if their bytes come back, they are cut again."""

    def moment(self, identity: str) -> datetime | None:
        """When the person of this identity was erased; None if nobody was."""
        return self.until.get(self.token(identity)) if self.until else None


def mentioned(text: str, erased: Erased, country: str) -> set[Mark]:
    """Phones and e-mail addresses of erased people that stand in ``text``, found by their hashes."""
    found = set()
    for kind, pattern in _CANDIDATES:
        for candidate in dict.fromkeys(match.group() for match in pattern.finditer(text)):
            value = normalise_identifier(kind, candidate, country)
            if value is not None and erased.moment(Mark(kind, value).identity):
                found.add(Mark(kind, value))
    return found


_CANDIDATES: tuple[tuple[IdentifierKind, re.Pattern[str]], ...] = (
    ("phone", re.compile(r"(?<!\d)\+?\(?\d(?:[ ().\-/\u00a0\u2010-\u2015]{0,3}\d){6,17}(?!\d)")),
    ("email", re.compile(r"[^\s@<>,;:\"]{1,64}@[^\s@<>,;:\"]{1,190}")),
)


class Markers:
    """The bytes by which a person can be recognised: identifiers in their spellings, and pseudonyms."""

    def __init__(self, identifiers: Iterable[Mark], pseudonyms: Iterable[str] = ()) -> None:
        patterns = [re.escape(pseudonym.encode()) for pseudonym in pseudonyms]
        for identifier in identifiers:
            patterns.extend(_PATTERNS[identifier.kind](identifier.value))
        self._pattern = re.compile(b"|".join(sorted(set(patterns))), re.IGNORECASE) if patterns else None

    def count(self, data: bytes) -> int:
        """How often a marker occurs in ``data``."""
        return sum(1 for _ in self._pattern.finditer(data)) if self._pattern else 0

    def redact(self, data: bytes) -> bytes:
        """``data`` with every marker overwritten in place: digits by 9, letters by x, the length unchanged.

        It is for what others said of the person: a number stays a number, so that their records stay readable.
        """
        return self._pattern.sub(lambda found: _overwritten(found.group()), data) if self._pattern else data


def _overwritten(marker: bytes) -> bytes:
    return re.sub(rb"[0-9]", b"9", re.sub(rb"[A-Za-z\x80-\xff]", b"x", marker))


def _phone(value: str) -> list[bytes]:
    """However it is dialled or spaced: +234 803 ..., 00234803..., 0803-..., O803 ... ."""
    import phonenumbers  # heavy metadata: loaded only where a number is erased

    parsed = phonenumbers.parse(value, None)
    national = phonenumbers.national_significant_number(parsed)
    code = _GAP.join(_digit(char) for char in str(parsed.country_code))
    prefix = rb"(?:(?:\+|00)?" + code + _GAP + rb"(?:\(?[0oO]\)?)?" + _GAP + rb"|[0oO]" + _GAP + rb")?"
    return [rb"(?<![0-9])" + prefix + _GAP.join(_digit(char) for char in national) + rb"(?![0-9])"]


def _digit(char: str) -> bytes:
    return b"[0oO]" if char == "0" else char.encode()


def _email(value: str) -> list[bytes]:
    local, _, domain = value.partition("@")
    result = []
    for spelt_local, spelt_domain in zip(_spelt(local), _spelt(domain), strict=True):
        dotted = spelt_domain.replace(rb"\.", rb"(?:\.|[ ]dot[ ])")
        at = rb"(?:@|%40|\\u0040|[ ]?[(\[]at[)\]][ ]?|[ ]at[ ])"
        result.append(rb"(?<![\w.+%\-])" + spelt_local + at + dotted + rb"(?![\w\-])")
    return result


def _handle(value: str) -> list[bytes]:
    """With its @ always; bare only if no plain word is written like it."""
    patterns = [rb"(?<![\w.+%\-])@" + spelt + rb"(?![\w])" for spelt in _spelt(value)]
    if len(value) >= _SHORTEST_BARE and any(not char.isalpha() for char in value):
        patterns += _exact(value)
    return patterns


def _account(value: str) -> list[bytes]:
    if len(value) < _SHORTEST_BARE:
        return []
    spaced = rb"[ ./\-]{0,2}".join(re.escape(char.encode()) for char in value)
    return [rb"(?<![0-9A-Za-z])" + spaced + rb"(?![0-9A-Za-z])"]


def _exact(value: str) -> list[bytes]:
    if len(value) < _SHORTEST_BARE:
        return []
    return [rb"(?<![0-9A-Za-z_])" + spelt + rb"(?![0-9A-Za-z_])" for spelt in _spelt(value)]


def _spelt(value: str) -> tuple[bytes, bytes]:
    """As UTF-8 and as JSON escapes it."""
    return re.escape(value.encode("utf-8", "replace")), re.escape(json.dumps(value)[1:-1].encode())


_PATTERNS: Mapping[str, Callable[[str], list[bytes]]] = {
    "phone": _phone,
    "email": _email,
    "handle": _handle,
    "account": _account,
    "platform_id": _exact,
}
