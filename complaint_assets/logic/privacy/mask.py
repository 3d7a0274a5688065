"""Texts without the people in them: the two masking profiles.

``analytic`` (production) replaces identifiers, names behind a cue, and what the customer's own record says of
them. ``strict`` (every other environment, exports, samples) then shows approved words and numbers only.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from .mask_names import Cues, mask_cued, mask_known
from .mask_scan import KINDS, WORTH_A_SCAN, mask_identifiers
from .mask_strict import Vocabulary, mask_unknown

# A placeholder can lay open what stood glued to the identifier: then the text is looked at again.
_GLUED = re.compile(rf"[^\s(]\[(?:{'|'.join(KINDS)})\]|\[(?:{'|'.join(KINDS)})\][^\s,;!?.)]")


@dataclass(frozen=True)
class Masker:
    """Masks texts under one profile: ``strict`` if it has a vocabulary, else ``analytic``.

    Attributes:
        country: where numbers without country code are dialled (ISO 3166-1 alpha-2).
        brands: handles to keep, lower case and without @: the company's own.
    """

    country: str
    cues: Cues
    brands: frozenset[str] = frozenset()
    vocabulary: Vocabulary | None = None

    @property
    def profile(self) -> str:
        return "strict" if self.vocabulary else "analytic"

    def text(self, text: str, known: Iterable[str] = ()) -> str:
        """``text`` with identifiers replaced by placeholders; masking twice changes nothing.

        Placeholders are lower case, as capitals count as shouting in sentiment: [phone] [email] [card] [id]
        [url] [handle] [ip] [name], and in the strict profile [address] [word] [number].

        Args:
            known: what the customer's own record says about them: name, e-mail, phone, address.
        """
        ordered = sorted(set(known), key=lambda value: (-len(value), value))  # whole names before their parts
        if self.vocabulary is None:
            return self._analytic(text, ordered)
        while True:
            masked = mask_unknown(self._analytic(text, ordered), self.vocabulary)
            if masked == text or not _GLUED.search(masked):
                return masked
            text = masked

    def _analytic(self, text: str, known: Sequence[str]) -> str:
        """Every round shortens what is not yet a placeholder, so rounds come to an end."""
        while True:
            masked = self._once(text, known)
            if masked == text or not _GLUED.search(masked):
                return masked
            text = masked

    def _once(self, text: str, known: Sequence[str]) -> str:
        for value in known:
            text = mask_known(text, value, self.country, self.cues.not_names)
        if WORTH_A_SCAN.search(text):
            text = mask_identifiers(text, self.country, self.brands)
        return mask_cued(text, self.cues)


def mask(texts: pa.Array, masker: Masker) -> pa.Array:
    """``Masker.text`` over an Arrow array of strings; nulls stay null.

    Equal texts are masked once, and those without anything to look at are not touched.
    """
    unique = pc.unique(texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts)
    masked = pa.array([text and masker.text(text) for text in unique.to_pylist()], pa.string())
    return masked.take(pc.index_in(texts, value_set=unique))
