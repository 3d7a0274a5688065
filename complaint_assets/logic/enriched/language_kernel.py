"""Counts of marker words for many texts in one compiled pass over their UTF-8 bytes.

Importing this module imports numba. Words are those of ``language.words_of``; a row with letters or digits
beyond ASCII is left to it.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .compiled import find, jit, table_of
from .rules import Rules
from .sentiment import analyser

_ENGLISH, _KNOWN, _MARKER = 1, 2, 4
_PLAIN, _QUOTE, _ODD = 0, 1, 2
_BEYOND = 0x20000


class Tables(NamedTuple):
    """Marker words as an open hash table (see ``compiled.find``), and what the characters beyond ASCII are."""

    slots: Any
    words: Any
    start: Any
    flags: Any
    marker: Any  # number of the marker, from 0; -1 for other words
    markers: int
    kinds: Any


@jit
def _letter(byte: int) -> bool:
    return 97 <= (byte | 32) <= 122


@jit
def _joined(byte: int) -> bool:
    return _letter(byte) or 48 <= byte <= 57 or byte == 95


@jit
def _white(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@jit
def _link(text: Any, start: int, size: int) -> bool:
    """Whether ``http://`` or ``https://`` and something more stands at ``start``."""
    if size - start < 8 or text[start + 1] != 116 or text[start + 2] != 116 or text[start + 3] != 112:
        return False
    after = start + 5 if text[start + 4] == 115 else start + 4
    if after + 3 >= size or text[after] != 58 or text[after + 1] != 47 or text[after + 2] != 47:
        return False
    return not _white(text[after + 3])


@jit
def _noise(text: Any, start: int, size: int) -> int:
    """End of the placeholder, link or name that begins at ``start``; ``start`` if none does."""
    byte, after = text[start], start + 1
    if byte == 91:  # [phone]
        while after < size and 97 <= text[after] <= 122:
            after += 1
        if after < size and text[after] == 93 and 3 <= after - start <= 7:
            return after + 1
    elif byte == 64 or byte == 35:  # @name, #name
        while after < size and _joined(text[after]):
            after += 1
        if after > start + 1:
            return after
    elif byte == 104 and _link(text, start, size):
        after = start + 7
        while after < size and not _white(text[after]):
            after += 1
        return after
    return start


@jit
def _clean(data: Any, start: int, end: int, out: Any, kinds: Any) -> int:
    """Write ``data[start:end]`` to ``out`` without noise, one byte per character; -1 if a character is odd."""
    size, position = 0, start
    while position < end:
        byte = data[position]
        width = 1 if byte < 128 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        if width > 1:
            point = byte & (0x1F if width == 2 else 0x0F if width == 3 else 0x07)
            for offset in range(1, width):
                point = (point << 6) | (data[position + offset] & 0x3F)
            if point >= kinds.shape[0] or kinds[point] == _ODD:
                return -1
            byte = 39 if kinds[point] == _QUOTE else 1
        out[size] = byte
        size += 1
        position += width
    position = 0
    while position < size:
        after = _noise(out, position, size)
        if after == position:
            position += 1
        while position < after:
            out[position] = 32
            position += 1
    return size


@jit
def measures(data: Any, offsets: Any, t: Any) -> Any:
    """[measures, texts] in the order of ``logic.enriched.language.Measures``, and which rows are odd.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: [texts + 1] positions in ``data``.
        t: what ``tables`` made.
    """
    rows = offsets.shape[0] - 1
    result, odd = np.zeros((6, rows), np.int32), np.zeros(rows, np.bool_)
    longest = 0
    for row in range(rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    text = np.empty(longest + 1, np.uint8)
    seen = np.full(t.markers + 1, -1, np.int64)
    for row in range(rows):
        size = _clean(data, offsets[row], offsets[row + 1], text, t.kinds)
        if size < 0:
            odd[row] = True
            continue
        position = 0
        while position < size:
            if not _letter(text[position]):
                position += 1
                continue
            first = position
            while position < size and (
                _letter(text[position])
                or (
                    (text[position] == 39 or text[position] == 45)
                    and position + 1 < size
                    and _letter(text[position + 1])
                )
            ):
                position += 1
            result[0, row] += 1
            result[1, row] += position - first
            word = find(text, first, position, t.slots, t.words, t.start)
            if word < 0:
                continue
            flag = t.flags[word]
            if flag & _ENGLISH:
                result[2, row] += 1
            if flag & _KNOWN:
                result[3, row] += 1
            if flag & _MARKER and seen[t.marker[word]] != row:
                seen[t.marker[word]] = row
                result[4, row] += 1
                if not flag & _ENGLISH:
                    result[5, row] += 1
    return result, odd


@lru_cache(maxsize=4)
def tables(rules: Rules) -> Tables:
    """The marker words of ``rules`` and the words of VADER's lexicon."""
    english, pidgin, lexicon = rules.english, rules.pidgin, frozenset(analyser().lexicon)
    known = [*dict.fromkeys([*sorted(english), *sorted(pidgin), *sorted(lexicon)])]
    order = {word: number for number, word in enumerate(sorted(pidgin))}
    slots, words, start = table_of(known)
    kinds = np.full(_BEYOND, _PLAIN, np.uint8)
    for point in range(128, _BEYOND):
        char = chr(point)
        if char.isalnum() or 0xD800 <= point < 0xE000 or char.lower() != char:
            kinds[point] = _ODD
    kinds[ord("’")] = _QUOTE
    return Tables(
        slots=slots,
        words=words,
        start=start,
        flags=np.array(
            [
                _ENGLISH * (w in english) | _KNOWN * (w in english or w in lexicon) | _MARKER * (w in pidgin)
                for w in known
            ],
            np.uint8,
        ),
        marker=np.array([order.get(word, -1) for word in known], np.int64),
        markers=len(order),
        kinds=kinds,
    )
