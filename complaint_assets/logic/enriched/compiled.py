"""How inner loops are compiled, and the table of words that they share.

They are compiled once per machine, and run without the interpreter's lock. The compiled code is kept beside the
module, else in the user's cache folder, and where neither can be written it is compiled anew in each process that
needs it. numba's cache does not notice a change here in modules that call it: change a comment there as well.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` compiled at its first call."""
    try:
        compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder for the compiled code
        compiled = numba.njit(nogil=True)(function)
    return compiled


@jit
def _hash(text: Any, start: int, end: int) -> Any:
    value = np.uint64(14695981039346656037)
    for position in range(start, end):
        byte = text[position]
        if 65 <= byte <= 90:
            byte += 32
        value = (value ^ np.uint64(byte)) * np.uint64(1099511628211)
    return value ^ (value >> np.uint64(29))


@jit
def find(text: Any, start: int, end: int, slots: Any, words: Any, starts: Any) -> int:
    """Number of the word of ``table_of`` that stands in ``text[start:end]`` in any ASCII case, or -1."""
    mask = np.uint64(slots.shape[0] - 1)
    slot = _hash(text, start, end) & mask
    while slots[slot] >= 0:
        word = slots[slot]
        first = starts[word]
        if starts[word + 1] - first == end - start:
            same = True
            for offset in range(end - start):
                byte = text[start + offset]
                if 65 <= byte <= 90:
                    byte += 32
                if byte != words[first + offset]:
                    same = False
                    break
            if same:
                return word
        slot = (slot + np.uint64(1)) & mask
    return -1


def table_of(words: Sequence[str]) -> tuple[Any, Any, Any]:
    """``words`` as an open hash table of their numbers, their bytes, and [words + 1] where each begins.

    A word with an upper-case letter is never found.
    """
    encoded = [word.encode() for word in words]
    slots = np.full(1 << (4 * len(words)).bit_length(), -1, np.int64)
    start = np.concatenate([[0], np.cumsum([len(word) for word in encoded])]).astype(np.int64)
    letters = np.frombuffer(b"".join(encoded), np.uint8)
    for number in range(len(words)):
        slot = int(_hash(letters, start[number], start[number + 1])) & (len(slots) - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = number
    return slots, letters, start
