"""The language of a text: by marker words where they settle it, otherwise by py3langid."""

import re
from functools import cache
from typing import Any

from .rules import Rules
from .sentiment import analyser

UNDETERMINED = "und"
SHORT = 20
"""Letters below which no language model is trusted."""
CANDIDATES = ["ar", "de", "en", "es", "fr", "ha", "hi", "ig", "pt", "sw", "yo", "zu"]
"""ISO 639-1 codes among which the model chooses: fewer choices, fewer wrong ones."""

_NOISE = re.compile(r"\[[a-z]{2,6}\]|https?://\S+|[@#]\w+|\d+")
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


@cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # loads a model of some megabytes

    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    model.set_languages(CANDIDATES)
    return model


def language(text: str | None, rules: Rules) -> str:
    """ISO 639 code of ``text``: ``pcm`` for Nigerian Pidgin, ``und`` where it is too short to tell."""
    cleaned = _NOISE.sub(" ", (text or "").replace("’", "'"))
    words = _WORD.findall(cleaned.casefold())
    if not words:
        return UNDETERMINED
    markers = {word for word in words if word in rules.pidgin}
    # Some markers are English words too: one at least must be Pidgin's own.
    if len(markers) >= 2 and markers - rules.english:
        return "pcm"
    english = sum(word in rules.english for word in words)
    if english >= 3 and english >= 0.4 * len(words):
        return "en"
    if sum(map(len, words)) < SHORT:
        known = sum(word in rules.english or word in analyser().lexicon for word in words)
        return "en" if known >= 0.5 * len(words) else UNDETERMINED
    return str(_model().classify(" ".join(words))[0])
