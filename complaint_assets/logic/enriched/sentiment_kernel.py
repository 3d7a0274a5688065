"""VADER's compound score of many texts in one compiled pass over their UTF-8 bytes.

Importing this module imports numba; ``sentiment.py`` does so only for batches that are worth it. Every table
is built from the installed package's own lexicon and constants. The arithmetic follows vaderSentiment 3.3.2 step
by step, in the same order, so that no bit differs; a row with characters whose case needs the rules of Unicode is
left to the package.
"""

import math
import string
import sys
from typing import Any, NamedTuple

import numpy as np

from .compiled import find, jit, table_of

UNSCORED, ROUND = 1, 2
"""What a row may still need: the package itself, or Python's own rounding of a value near a tie."""

_OPAQUE, _SPACE, _ODD, _EMOJI = 0, 1, 2, 3
_LEXICON, _NEGATION, _BOOSTER = 1, 2, 4
NAMED = ("no", "or", "nor", "least", "at", "very", "but", "kind", "of", "never", "so", "this", "without", "doubt")
NO, OR, NOR, LEAST, AT, VERY, BUT, KIND, OF, NEVER, SO, THIS, WITHOUT, DOUBT = range(1, 15)
_BEYOND = 0x20000
"""Code points from here on are left to the package."""
COMPENSATED = sys.version_info >= (3, 12)
"""``sum`` of floats carries its rounding error along from Python 3.12 on."""


class Tables(NamedTuple):
    """The package's knowledge as arrays.

    ``slots``, ``words`` and ``start`` are what ``compiled.table_of`` makes of the words.
    """

    slots: Any
    words: Any
    start: Any
    flags: Any
    valence: Any
    boost: Any
    code: Any  # number of a word that stands in an idiom or has a part of its own, else 0
    kinds: Any  # code point -> opaque, space, odd, or emoji + its number
    descriptions: Any
    description_start: Any
    punctuation: Any
    special: Any  # rows of three codes, 0 where an idiom has two words
    special_value: Any
    booster_pairs: Any
    booster_value: Any
    constants: Any  # C_INCR, N_SCALAR


@jit
def _idiom(a: int, b: int, c: int, special: Any) -> int:
    """Row of the idiom of codes ``a b c`` (``c`` 0: two words) in ``special``, or -1."""
    if a == 0 or b == 0:
        return -1
    for row in range(special.shape[0]):
        if special[row, 0] == a and special[row, 1] == b and special[row, 2] == c:
            return row
    return -1


@jit
def _booster(a: int, b: int, t: Any) -> float:
    if a and b:
        for row in range(t.booster_pairs.shape[0]):
            if t.booster_pairs[row, 0] == a and t.booster_pairs[row, 1] == b:
                return t.booster_value[row]
    return 0.0


@jit
def _idioms(valence: float, code: Any, i: int, count: int, t: Any) -> float:
    one, two, three, zero = code[i - 1], code[i - 2], code[i - 3], code[i]
    found = _idiom(one, zero, 0, t.special)
    if found < 0 and zero:
        found = _idiom(two, one, zero, t.special)
    if found < 0:
        found = _idiom(two, one, 0, t.special)
    if found < 0 and one:
        found = _idiom(three, two, one, t.special)
    if found < 0:
        found = _idiom(three, two, 0, t.special)
    if found >= 0:
        valence = t.special_value[found]
    if count - 1 > i:
        found = _idiom(zero, code[i + 1], 0, t.special)
        if found >= 0:
            valence = t.special_value[found]
    if count - 1 > i + 1 and code[i + 2]:
        found = _idiom(zero, code[i + 1], code[i + 2], t.special)
        if found >= 0:
            valence = t.special_value[found]
    valence = valence + _booster(three, two, t)
    return valence + _booster(two, one, t)


@jit
def _valence(i: int, count: int, word: Any, flag: Any, code: Any, upper: Any, differs: bool, t: Any) -> float:
    """Valence of word ``i``, which is in the lexicon."""
    caps, scalar = t.constants[0], t.constants[1]
    base = t.valence[word[i]]
    valence = base
    if code[i] == NO and i != count - 1 and flag[i + 1] & _LEXICON:
        valence = 0.0
    if (
        (i > 0 and code[i - 1] == NO)
        or (i > 1 and code[i - 2] == NO)
        or (i > 2 and code[i - 3] == NO and (code[i - 1] == OR or code[i - 1] == NOR))
    ):
        valence = base * scalar
    if upper[i] and differs:
        if valence > 0:
            valence += caps
        else:
            valence -= caps
    for back in range(3):
        if i > back and not flag[i - back - 1] & _LEXICON:
            before = i - back - 1
            step = 0.0
            if flag[before] & _BOOSTER:
                step = t.boost[word[before]]
                if valence < 0:
                    step *= -1
                if upper[before] and differs:
                    if valence > 0:
                        step += caps
                    else:
                        step -= caps
            if back == 1:
                step = step * 0.95
            elif back == 2:
                step = step * 0.9
            valence = valence + step
            one = code[i - 1]
            negated = flag[before] & _NEGATION
            if back == 0:
                if negated:
                    valence = valence * scalar
            elif back == 1:
                two = code[i - 2]
                if two == NEVER and one in (SO, THIS):
                    valence = valence * 1.25
                elif not (two == WITHOUT and one == DOUBT) and negated:
                    valence = valence * scalar
            else:
                two, three = code[i - 2], code[i - 3]
                if (three == NEVER and two in (SO, THIS)) or one in (SO, THIS):
                    valence = valence * 1.25
                elif not (three == WITHOUT and (two == DOUBT or one == DOUBT)) and negated:
                    valence = valence * scalar
                valence = _idioms(valence, code, i, count, t)
    least = i > 0 and code[i - 1] == LEAST and not flag[i - 1] & _LEXICON
    if least and (i == 1 or (code[i - 2] != AT and code[i - 2] != VERY)):
        valence = valence * scalar
    return valence


@jit
def _expand(data: Any, start: int, end: int, out: Any, t: Any) -> int:
    """Write ``data[start:end]`` to ``out`` with emoji described and blanks plain; -1 if a character is odd."""
    size, position, space = 0, start, True
    while position < end:
        byte = data[position]
        if byte < 128:
            out[size] = byte
            size += 1
            position += 1
            space = byte == 32
            continue
        width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        point = byte & (0x1F if width == 2 else 0x0F if width == 3 else 0x07)
        for offset in range(1, width):
            point = (point << 6) | (data[position + offset] & 0x3F)
        if point >= t.kinds.shape[0]:
            return -1
        kind = t.kinds[point]
        if kind == _ODD:
            return -1
        if kind >= _EMOJI:
            if not space:
                out[size] = 32
                size += 1
            for source in range(t.description_start[kind - _EMOJI], t.description_start[kind - _EMOJI + 1]):
                out[size] = t.descriptions[source]
                size += 1
        elif kind == _SPACE:
            out[size] = 10  # splits words as it did, and is no space to an emoji behind it
            size += 1
        else:
            for offset in range(width):
                out[size] = data[position + offset]
                size += 1
        space = False
        position += width
    return size


@jit
def _is_space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31


@jit
def score(data: Any, offsets: Any, t: Any, compensated: bool) -> Any:
    """Compound score of each text, and what it still needs (0: nothing).

    Args:
        data: UTF-8 bytes of all texts.
        offsets: [texts + 1] positions in ``data``.
        t: what ``tables`` made.
        compensated: whether this Python's ``sum`` is.
    """
    rows = offsets.shape[0] - 1
    scores, needs = np.zeros(rows), np.zeros(rows, np.uint8)
    longest, wide = 0, 0
    for row in range(rows):
        size = offsets[row + 1] - offsets[row]
        longest = max(longest, size)
        for position in range(offsets[row], offsets[row + 1]):
            if data[position] >= 128:
                wide = max(wide, size)
                break
    per_emoji = 2
    for number in range(t.description_start.shape[0] - 1):
        per_emoji = max(per_emoji, t.description_start[number + 1] - t.description_start[number] + 1)
    scratch = np.empty(wide // 2 * per_emoji + wide + 1, np.uint8)
    most = max(longest, scratch.shape[0]) // 2 + 2
    word, code = np.empty(most, np.int64), np.empty(most, np.int64)
    flag, upper = np.empty(most, np.uint8), np.empty(most, np.bool_)
    values = np.empty(most)
    for row in range(rows):
        text, start, end = data, offsets[row], offsets[row + 1]
        for position in range(start, end):
            if data[position] >= 128:
                end = _expand(data, start, end, scratch, t)
                text, start = scratch, 0
                break
        if end < 0:
            needs[row] = UNSCORED
            continue
        count, capitals, but, exclaims, asks = 0, 0, -1, 0, 0
        position = start
        while position < end:
            while position < end and _is_space(text[position]):
                position += 1
            if position >= end:
                break
            first = position
            while position < end and not _is_space(text[position]):
                if text[position] == 33:
                    exclaims += 1
                elif text[position] == 63:
                    asks += 1
                position += 1
            last = position
            left, right = first, last
            while left < right and t.punctuation[text[left]]:
                left += 1
            while right > left and t.punctuation[text[right - 1]]:
                right -= 1
            points = 0
            for at in range(left, right):
                if text[at] & 0xC0 != 0x80:
                    points += 1
            if points > 2:
                first, last = left, right
            big, small, negation = False, False, False
            for at in range(first, last):
                byte = text[at]
                if 65 <= byte <= 90:
                    big = True
                elif 97 <= byte <= 122:
                    small = True
                elif byte == 39 and first < at < last - 1:
                    negation |= (text[at - 1] | 32) == 110 and (text[at + 1] | 32) == 116
            upper[count] = big and not small
            capitals += upper[count]
            found = find(text, first, last, t.slots, t.words, t.start)
            word[count] = found
            flag[count] = t.flags[found] if found >= 0 else 0
            code[count] = t.code[found] if found >= 0 else 0
            if negation:
                flag[count] |= _NEGATION
            if but < 0 and code[count] == BUT:
                but = count
            count += 1
        if count == 0:
            continue
        differs = 0 < count - capitals < count
        for i in range(count):
            kind_of = i < count - 1 and code[i] == KIND and code[i + 1] == OF
            if flag[i] & _BOOSTER or kind_of or not flag[i] & _LEXICON:
                values[i] = 0.0
            else:
                values[i] = _valence(i, count, word, flag, code, upper, differs, t)
        if but >= 0:
            for i in range(count):
                value, where = values[i], 0
                while values[where] != value:
                    where += 1
                if where < but:
                    values[where] = value * 0.5
                elif where > but:
                    values[where] = value * 1.5
        total, lost = 0.0, 0.0
        for i in range(count):
            value = values[i]
            new = total + value
            if compensated:
                if abs(total) >= abs(value):
                    lost += (total - new) + value
                else:
                    lost += (value - new) + total
            total = new
        if compensated and lost != 0.0:
            total = total + lost
        emphasis = min(exclaims, 4) * 0.292
        if asks > 3:
            emphasis += 0.96
        elif asks > 1:
            emphasis += asks * 0.18
        if total > 0:
            total += emphasis
        elif total < 0:
            total -= emphasis
        compound = min(1.0, max(-1.0, total / math.sqrt((total * total) + 15)))
        scaled = compound * 1e4
        if abs(abs(scaled - math.floor(scaled)) - 0.5) < 1e-6:
            scores[row], needs[row] = compound, ROUND
        else:
            scores[row] = np.rint(scaled) / 1e4
    return scores, needs


def tables(analyser: Any) -> Tables:
    """The tables of ``analyser`` (a ``SentimentIntensityAnalyzer``)."""
    import vaderSentiment.vaderSentiment as package  # noqa: N813

    idioms = [(key.split(" "), value) for key, value in package.SPECIAL_CASES.items() if " " in key]
    pairs = [(key.split(" "), value) for key, value in package.BOOSTER_DICT.items() if " " in key]
    named = dict.fromkeys([*NAMED, *(word for key, _ in [*idioms, *pairs] for word in key)])
    codes = {name: number for number, name in enumerate(named, start=1)}
    known = list(dict.fromkeys([*analyser.lexicon, *package.BOOSTER_DICT, *package.NEGATE, *codes]))
    negations = set(package.NEGATE)
    slots, words, start = table_of(known)
    kinds, descriptions = _kinds(analyser.emojis)
    return Tables(
        slots=slots,
        words=words,
        start=start,
        flags=np.array(
            [
                _LEXICON * (name in analyser.lexicon)
                | _NEGATION * (name in negations or "n't" in name)
                | _BOOSTER * (name in package.BOOSTER_DICT)
                for name in known
            ],
            np.uint8,
        ),
        valence=np.array([analyser.lexicon.get(name, 0.0) for name in known]),
        boost=np.array([package.BOOSTER_DICT.get(name, 0.0) for name in known]),
        code=np.array([codes.get(name, 0) for name in known], np.int64),
        kinds=kinds,
        descriptions=np.frombuffer(b"".join(descriptions) or b"\0", np.uint8),
        description_start=np.concatenate([[0], np.cumsum([len(d) for d in descriptions])]).astype(np.int64),
        punctuation=np.array([chr(byte) in string.punctuation for byte in range(256)]),
        special=np.array([[*(codes[w] for w in key), 0][:3] for key, _ in idioms], np.int64),
        special_value=np.array([float(value) for _, value in idioms]),
        booster_pairs=np.array([[codes[w] for w in key] for key, _ in pairs], np.int64),
        booster_value=np.array([value for _, value in pairs]),
        constants=np.array([package.C_INCR, package.N_SCALAR]),
    )


def _kinds(emojis: dict[str, str]) -> tuple[Any, list[bytes]]:
    """What each code point is, and the descriptions of the emoji among them."""
    kinds = np.full(_BEYOND, _ODD, np.int16)
    for point in range(128, _BEYOND):
        char = chr(point)
        if char.isspace():
            kinds[point] = _SPACE
        elif not (0xD800 <= point < 0xE000 or char.isupper() or char.islower() or char.istitle()):
            kinds[point] = _OPAQUE if char.lower() == char else _ODD
    described = [(char, text) for char, text in emojis.items() if len(char) == 1 and 128 <= ord(char) < _BEYOND]
    for number, (char, text) in enumerate(described):
        # A description with letters of another alphabet is left to the package, as such letters are in a text.
        odd = any(ord(c) > 127 and kinds[ord(c)] != _OPAQUE for c in text)
        kinds[ord(char)] = _ODD if odd else _EMOJI + number
    return kinds, [text.encode() for _, text in described]
