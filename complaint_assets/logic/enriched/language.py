"""The language of a text: by marker words where they settle it, otherwise by py3langid."""

import re
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from .rules import Rules
from .sentiment import analyser, utf8

UNDETERMINED = "und"
SHORT = 20
"""Letters below which no language model is trusted."""
CANDIDATES = ["ar", "de", "en", "es", "fr", "ha", "hi", "ig", "pt", "sw", "yo", "zu"]
"""ISO 639-1 codes among which the model chooses: fewer choices, fewer wrong ones."""

_NOISE = re.compile(r"\[[a-z]{2,6}\]|https?://\S+|[@#]\w+|\d+", re.ASCII)
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_PIDGIN = "pcm"
_UNCLEAR = ""


class Measures(NamedTuple):
    """What the words of a text say of its language; arrays stand for many texts."""

    words: Any
    letters: Any
    english: Any
    known: Any  # English, or in VADER's lexicon
    markers: Any  # different words of Pidgin
    own_markers: Any  # of these, those that are no English words


@cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # loads a model of some megabytes

    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    model.set_languages(CANDIDATES)
    return model


def words_of(text: str) -> list[str]:
    """The words of ``text`` in lower case, without links, names, placeholders and numbers."""
    return _WORD.findall(_NOISE.sub(" ", text.replace("’", "'")).lower())


def measure(words: list[str], rules: Rules) -> Measures:
    """What ``words`` say."""
    markers = {word for word in words if word in rules.pidgin}
    english = sum(word in rules.english for word in words)
    lexicon = analyser().lexicon
    return Measures(
        words=len(words),
        letters=sum(map(len, words)),
        english=english,
        known=sum(word in rules.english or word in lexicon for word in words),
        markers=len(markers),
        own_markers=len(markers - rules.english),
    )


def modelled(words: list[str]) -> str:
    """What py3langid makes of ``words``."""
    return str(_model().classify(" ".join(words))[0])


def languages(texts: pa.Array, rules: Rules, *, compiled: bool) -> pa.Array:
    """ISO 639 code of each text (no nulls): ``pcm`` for Nigerian Pidgin, ``und`` where it is too short to tell.

    Args:
        texts: strings.
        rules: holds the marker words.
        compiled: take the compiled pass where it can; it answers as ``measure`` does.
    """
    rows = list(range(len(texts)))
    if compiled:
        from . import language_kernel as kernel

        data, offsets = utf8(texts)
        table, odd = kernel.measures(data, offsets, kernel.tables(rules))
        rows = np.flatnonzero(odd).tolist()
    else:
        table = np.zeros((len(Measures._fields), len(texts)), np.int32)
    for row in rows:
        table[:, row] = measure(words_of(texts[row].as_py()), rules)
    codes = _decide(Measures(*table))
    for row in np.flatnonzero(codes == _UNCLEAR).tolist():
        codes[row] = modelled(words_of(texts[row].as_py()))
    return pa.array(codes, pa.string())


def _decide(m: Measures) -> Any:
    """The clear cases; ``_UNCLEAR`` for the rest. Some markers are English words too: one must be Pidgin's own."""
    return np.select(
        [
            m.words == 0,
            (m.markers >= 2) & (m.own_markers >= 1),
            (m.english >= 3) & (5 * m.english >= 2 * m.words),
            (m.letters < SHORT) & (2 * m.known >= m.words),
            m.letters < SHORT,
        ],
        [UNDETERMINED, _PIDGIN, "en", "en", UNDETERMINED],
        _UNCLEAR,
    ).astype(object)
