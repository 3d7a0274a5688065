"""Sentiment: VADER's compound score, where the language is one that VADER knows."""

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SUPPORTED = frozenset({"en"})
"""VADER's lexicon is English. On Pidgin, Hausa, Igbo or Yoruba it calls a complaint calm: no score is better."""


@cache
def analyser() -> Any:
    """VADER, loaded once per process (Hutto and Gilbert, ICWSM 2014)."""
    # Slow to load, needed only where texts are scored.
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


@cache
def _tables() -> Any:
    from .sentiment_kernel import tables

    return tables(analyser())


def compound(texts: pa.Array, *, compiled: bool) -> pa.Array:
    """The package's compound score of each text, to the last bit; null for null.

    Args:
        texts: strings.
        compiled: take the compiled pass where it can; it answers as the package does, and takes about a second to
            start in a process (some more the first time on a machine).
    """
    if not compiled:
        score = analyser().polarity_scores
        return pa.array(
            [None if text is None else float(score(text)["compound"]) for text in texts.to_pylist()], pa.float64()
        )
    from . import sentiment_kernel as kernel

    present = pc.drop_null(texts)
    scores, needs = kernel.score(*utf8(present), _tables(), kernel.COMPENSATED)
    for row in np.flatnonzero(needs == kernel.UNSCORED).tolist():
        scores[row] = analyser().polarity_scores(present[row].as_py())["compound"]
    for row in np.flatnonzero(needs == kernel.ROUND).tolist():
        scores[row] = round(scores[row], 4)
    if not texts.null_count:
        return pa.array(scores)
    every = np.zeros(len(texts))
    missing = texts.is_null().to_numpy(zero_copy_only=False)
    every[~missing] = scores
    return pa.array(every, mask=missing)


def utf8(texts: pa.Array) -> tuple[Any, Any]:
    """The bytes of ``texts`` (no nulls) one after the other, and [texts + 1] where each begins."""
    large = texts.cast(pa.large_string())
    offsets, data = large.buffers()[1:3]
    begins = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
    return np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8), begins
