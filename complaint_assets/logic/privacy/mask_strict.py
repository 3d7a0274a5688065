"""The strict profile: of a text, only words of an approved vocabulary and approved shapes of numbers are shown.

What is not known to be harmless is hidden, so a name needs no recognising.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from .mask_scan import HARMLESS, PLACEHOLDER

# Marks that belong to letters of Latin, Cyrillic, Hebrew, Arabic, the scripts of India, and Thai.
_MARKS = (
    r"\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f"
    r"\u0900-\u0903\u093a-\u0957\u0981-\u0dff\u0e31-\u0e4e"
)
_WORD = rf"[^\W\d_](?:[^\W\d_]|[{_MARKS}]|['’](?=[^\W\d_]))*+"
_words = re.compile(_WORD)
_UNIT = r"(?i:[gkmhsx]|st|nd|rd|th|hrs?|mins?|secs?|days?|wks?|yrs?|[gm]hz|dbm?|ms|[ap]m|gigs?|megs?)"
_STREET = (
    r"(?i:street|str|st|avenue|ave|road|rd|close|crescent|cres|drive|dr|lane|ln|way|boulevard|blvd|estate|layout)"
)

_TOKENS = re.compile(
    rf"""
    (?P<plain>{_WORD}(?![\w@]|[ ]?\d))
  | (?P<keep>{PLACEHOLDER} | (?<!\w)(?:
        \*\d{{1,4}}(?:\*\d{{1,3}}){{0,3}}\#
      | (?:[01]?\d|2[0-4])[:.][0-5]\d(?::[0-5]\d)?(?:[ ]?(?i:[ap]m))?
      | \d{{1,3}}(?:\.\d{{1,2}})?[ ]?{_UNIT}
      | 24/7 | 404)(?!\w|[.\-/ ]\d))
  | (?P<harmless>{HARMLESS})
  | (?P<address>(?<!\w)\d{{1,5}}[A-Za-z]?,?[ ](?:[^\W\d_]{{1,30}}[ ]){{1,3}}{_STREET}(?!\w))
  | (?P<number>(?<!\w)\d(?:[ .\-/,]?\d){{3,}}+(?!\w))
  | (?P<small>(?<!\w)\d{{1,3}}(?!\w))
  | (?P<mixed>\w{{0,80}}\d[\w{_MARKS}]{{0,80}})
  | (?P<word>{_WORD})
  | (?P<odd>[{_MARKS}]+)
    """,
    re.VERBOSE,
)
_LONG = re.compile(r"([^\W\d_])\1{2,}+")
# What stands between two hidden words is an initial or a particle, what stands beside one a part of a place name.
_GONE = r"\[(?:word|number|address)\]"
_BEFORE = r"(?i:new|port|fort|cape|saint|san|los|las|mount|north|south|east|west|upper|lower)"
_PARTICLE = r"(?:[^\W\d_]\.?|(?i:van|von|de|der|den|di|da|du|la|le|al|el|bin|bint|ibn|ten|ter|dos|ni|of))"
_AFTER = r"(?:[ ](?i:city|town|island|hills?|beach|springs|park|county|state|jr|sr)(?!\w))*+"
_NEIGHBOURS = re.compile(
    rf"(?P<before>(?<!\w)(?:{_BEFORE}[ ])++)?+"
    rf"(?P<gone>{_GONE}(?:{_AFTER}[ \-'’.,/]{{1,2}}(?:(?:{_PARTICLE}|{_BEFORE})[ ])*+{_GONE})*+{_AFTER})?+"
)
_PLACEHOLDERS = {
    "plain": "[word]",
    "word": "[word]",
    "odd": "[word]",
    "mixed": "[word]",
    "number": "[number]",
    "address": "[address]",
}
_REMEMBERED = 100_000
_LONGEST_PHRASE = 60


def words_of(text: str) -> list[str]:
    """The words of ``text`` as the strict profile tells them apart."""
    return _words.findall(text)


@dataclass(frozen=True)
class Vocabulary:
    """What the strict profile may show; all words in lower case.

    Attributes:
        version: which lists it is made of.
        words: shown in any case.
        lower: words that are names too; shown in lower case only.
        phrases: first word -> the rest of a place name of several words; shown as a whole only.
    """

    version: str
    words: frozenset[str]
    lower: frozenset[str] = frozenset()
    phrases: Mapping[str, Collection[tuple[str, ...]]] = field(default_factory=dict)

    _seen: dict[str, tuple[bool, Collection[tuple[str, ...]]]] = field(default_factory=dict, compare=False)

    def judge(self, word: str) -> tuple[bool, Collection[tuple[str, ...]]]:
        """Whether ``word``, as it is written, may be shown, and how the place names go on that it begins."""
        known = self._seen.get(word)
        if known is None:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            folded = word.casefold().replace("’", "'")
            known = self._seen[word] = self._shows(word, folded), self.phrases.get(folded, ())
        return known

    def _shows(self, word: str, folded: str) -> bool:
        """Of letters drawn out (sooooo) two or one count; what is owned ('s) counts as its owner."""
        short = _LONG.sub(r"\1\1", folded)
        forms = {folded, folded.removesuffix("'s"), short, _LONG.sub(r"\1", folded)}
        return not forms.isdisjoint(self.words) or (word[0].islower() and not forms.isdisjoint(self.lower))


def mask_unknown(text: str, vocabulary: Vocabulary) -> str:
    """``text`` with every word and number hidden that is not approved; neighbours that go share a placeholder."""
    parts: list[str] = []
    at = shown_until = 0
    for found in _TOKENS.finditer(text):
        kind, start = str(found.lastgroup), found.start()
        if start < shown_until or kind in ("keep", "harmless"):
            continue
        if kind in ("plain", "word"):
            word = found.group()
            shown, phrases = vocabulary.judge(word)
            if phrases:
                shown_until = _end_of_phrase(text, found.end(), phrases)
                if shown_until:
                    continue
            if shown:
                continue
        elif kind == "small":
            continue
        parts += (text[at:start], _PLACEHOLDERS[kind])
        at = found.end()
    if not parts:
        return text
    parts.append(text[at:])
    return _NEIGHBOURS.sub(_together, "".join(parts))


def _together(found: re.Match[str]) -> str:
    gone = found["gone"]
    return gone[: gone.index("]") + 1] if gone else found.group()


def _end_of_phrase(text: str, at: int, phrases: Iterable[tuple[str, ...]]) -> int:
    """Where the longest of ``phrases`` ends that follows at ``at``; 0 if none does."""
    ends = [0]
    following = text[at : at + _LONGEST_PHRASE].casefold()
    for words in phrases:
        rest = "".join(f" {word}" for word in words)
        if following.startswith(rest) and not following[len(rest) : len(rest) + 1].isalnum():
            ends.append(at + len(rest))
    return max(ends)


def common_words(
    texts: Iterable[str | None], customers: Iterable[str | None], at_least: int, names: Collection[str]
) -> set[str]:
    """Words, in lower case, that ``at_least`` different customers used, without ``names``.

    What many people write says nothing about one of them. A text without customer counts for nobody.
    """
    users: dict[str, set[str]] = defaultdict(set)
    for text, customer in zip(texts, customers, strict=True):
        if text and customer:
            for word in words_of(re.sub(PLACEHOLDER, " ", text)):
                known = users[word.casefold().replace("’", "'")]
                if len(known) < at_least:
                    known.add(customer)
    return {word for word, known in users.items() if len(known) >= at_least and word not in names}
