"""What a record says beside its canonical columns: kept by field, masked, and watched for drift."""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from complaint_assets.logic.contract import Contract
from complaint_assets.logic.privacy.mask import Masker

from .drift import Drift, DriftWatch, above, leaves
from .fields import FieldReader, Fields, Findings, as_text

_MASK_CACHE = 8192
_LONGEST_SHARED = 64
_SHORTEST_IDENTIFIER = 7
_SHORTEST_WORD = 3
_OWN_WORDS = ("phone", "email", "account")
_to_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


class OwnWords(NamedTuple):
    """What a record says of its customer, and the single words of that in lower case."""

    phrases: tuple[str, ...]
    words: tuple[str, ...]


class Attributes:
    """Masks and keeps what the records of one object hold, and compares their fields with the contract.

    ``watch``: the comparison.
    """

    def __init__(self, contract: Contract, masker: Masker) -> None:
        self._contract = contract
        self._read = FieldReader(contract)
        self._mapped = frozenset(path.generic for path in contract.mapped)
        self._known = frozenset(path.generic for path in (*contract.attributes, *contract.required))
        self._above = frozenset(above(path.generic for path in contract.declared))
        self.watch = DriftWatch(contract)
        self._masker = masker
        self._mask_shared: Callable[[str], str] = lru_cache(maxsize=_MASK_CACHE)(masker.text)

    def drift(self) -> list[Drift]:
        """How the object differs from its contract, names of fields masked as those of attributes are."""
        return self.watch.found(self._field_name)

    def _field_name(self, path: str) -> str:
        """``path`` as it may be shown: what the contract does not name can hold anything."""
        return path if path in self._known or path in self._mapped else self._mask_shared(path)

    def note_rejected(self, fields: Fields) -> None:
        """Let the watch see a record that goes to the quarantine."""
        found = dict(leaves(fields))
        shape = tuple(found)
        new = {
            path for path, value in found.items() if value not in (None, "", [], {}) and not self._is_known(path)
        }
        self.watch.record(shape, new, ())

    def _is_known(self, path: str) -> bool:
        steps = [end for end, sign in enumerate(path) if sign in ".["]
        return any(path[:end] in self._known or path[:end] in self._mapped for end in (*steps, len(path)))

    def own_words(self, fields: Fields) -> OwnWords:
        """What the record says of the customer, to be masked wherever it turns up again.

        Handles and platform ids are left out: they are often ordinary words.
        """
        found: list[str] = []
        for path in self._contract.personal:
            _collect_strings(path.read(fields), found)
        for author in self._contract.author:
            if author.kind in _OWN_WORDS:
                _collect_strings(author.field.read(fields), found)
        phrases = tuple(dict.fromkeys(phrase for phrase in found if self._read.present(phrase) is not None))
        words = {word.strip(".,;") for phrase in phrases for word in phrase.casefold().split()}
        return OwnWords(phrases, tuple(word for word in words if len(word) >= _SHORTEST_WORD))

    def masked(self, value: str | None, own: OwnWords) -> str | None:
        """``value`` masked. Short values repeat from record to record, so their masks are remembered."""
        if value is None:
            return None
        if len(value) <= _LONGEST_SHARED:
            folded = value.casefold()
            if not any(word in folded for word in own.words):
                return self._mask_shared(value)
        return self._masker.text(value, own.phrases)

    def kept(self, fields: Fields, own: OwnWords, flags: Findings) -> str:
        """The fields that the contract does not map, as a JSON object of field paths.

        Beside them stand values that could not become canonical ones.
        """
        kept: dict[str, Any] = {}
        shape: list[str] = []
        new: set[str] = set()

        def keep(value: Any, path: str, known: bool) -> None:
            if path in self._mapped:
                if path not in flags.kept:
                    shape.append(path)
                    return
                known = True
            if value and isinstance(value, dict):
                known = known or path in self._known
                for name, inner in value.items():
                    keep(inner, f"{path}.{name}", known)
                return
            if value and isinstance(value, list):
                known = known or path in self._known
                for inner in value:
                    keep(inner, f"{path}[]", known)
                return
            shape.append(path)
            if (leaf := self._read.present(value)) is not None:
                if path in self._above:
                    flags.add("retyped")
                    flags.retyped.add(path)
                    known = True
                if not known and path not in self._known:
                    new.add(path)
                kept.setdefault(self._field_name(path), []).append(self._attribute(leaf, own))

        for name, value in fields.items():
            keep(value, name, known=False)
        if new:
            flags.add("new_field")
        if self.watch.record(tuple(shape), new, flags.retyped):
            flags.add("missing_field")
        return _to_json({path: held if "[]" in path else held[-1] for path, held in kept.items()})

    def _attribute(self, value: Any, own: OwnWords) -> Any:
        if isinstance(value, str):
            return self.masked(value, own)
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            # A spreadsheet or JSON may hold a phone number as a number.
            text = as_text(value)
            masked = self._mask_shared(text) if len(text) >= _SHORTEST_IDENTIFIER else text
            return value if masked == text else masked
        return as_text(value)


def _collect_strings(value: Any, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value.strip())
    elif isinstance(value, dict):
        for inner in value.values():
            _collect_strings(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _collect_strings(inner, found)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found.append(as_text(value))
