"""Sentiment: VADER's compound score, where the language is one that VADER knows."""

from functools import cache
from typing import Any

SUPPORTED = frozenset({"en"})
"""VADER's lexicon is English. On Pidgin, Hausa, Igbo or Yoruba it calls a complaint calm: no score is better."""


@cache
def analyser() -> Any:
    """VADER, loaded once per process (Hutto and Gilbert, ICWSM 2014)."""
    # Slow to load, needed only where texts are scored.
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def sentiment(text: str | None, language: str) -> tuple[float | None, str | None]:
    """Compound score from -1 to 1, and why there is none: ``no_text`` or ``unsupported_language``."""
    if not text:
        return None, "no_text"
    if language not in SUPPORTED:
        return None, "unsupported_language"
    return float(analyser().polarity_scores(text)["compound"]), None
