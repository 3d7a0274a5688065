"""Schema drift: what the records of one object hold beside and short of what their contract declares.

Names of fields only, never a value. Nothing is adapted to a drift: a renamed field is one that is missing and one
that is new, with a suggestion that a person may take up in the contract.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from complaint_assets.logic.contract import TABULAR, Contract, Paths

MOST_FIELDS = 50
"""Most fields of one kind that are reported of an object."""

_SIMILAR = 70
"""Likeness of two names, from 0 to 100, from which one is suggested for the other."""
_MOST_SHAPES = 1000


@dataclass(frozen=True)
class Drift:
    """One difference between an object and its contract; ``records`` is how many records show it."""

    kind: str
    field: str
    records: int
    suggestion: str | None = None


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Generic path and value of everything in a record that is not made of other values, or is empty."""
    if value and isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif value and isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}[]")
    else:
        yield path, value


def above(paths: Iterable[str]) -> set[str]:
    """The paths at which there must be an object or a list, for ``paths`` to lie in it."""
    return {path[:end] for path in paths for end, sign in enumerate(path) if end and sign in ".["}


class DriftWatch:
    """Watches the records of one object under one contract."""

    def __init__(self, contract: Contract) -> None:
        sparse = {path.generic for path in contract.sparse}
        required = contract.header if contract.format.type in TABULAR else contract.required
        self._required = tuple(dict.fromkeys(path.generic for path in required))
        self._optional = tuple(
            name
            for name in dict.fromkeys(path.generic for path in (*contract.mapped, *contract.attributes))
            if name not in sparse and name not in self._required
        )
        self._known: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._absent: Counter[str] = Counter()
        self._new: Counter[str] = Counter()
        self._retyped: Counter[str] = Counter()
        self._records = 0
        self._columns: tuple[str, ...] | None = None
        self._held: list[str] = []

    def held(self, field: str) -> None:
        """The object is held for want of ``field``, whatever its records hold."""
        self._held = [field]

    def columns(self, names: tuple[str, ...], declared: Paths) -> None:
        """The layout of a table: it holds for every row, also where there is none."""
        self._columns = names
        missing = self._missing(names)
        self._absent.update(dict.fromkeys((*missing[0], *missing[1]), 0))
        known = {path.text for path in declared}
        self._new.update({name: 0 for name in names if name not in known})

    def record(self, shape: tuple[str, ...], new: Iterable[str], retyped: Iterable[str]) -> bool:
        """Take note of a record; whether it lacks a field that is not required.

        Args:
            shape: generic paths that it holds, with or without a value.
            new: those among them that the contract does not know.
            retyped: those whose value is not of the declared type.
        """
        self._records += 1
        required, optional = self._missing(shape)
        self._absent.update(required)
        self._absent.update(optional)
        self._new.update(new)
        self._retyped.update(retyped)
        return bool(optional)

    def _missing(self, shape: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Required and optional fields of which nothing is in ``shape``."""
        known = self._known.get(shape)
        if known is None:
            known = (_absent(self._required, shape), _absent(self._optional, shape))
            if len(self._known) < _MOST_SHAPES:
                self._known[shape] = known
        return known

    def missing_required(self) -> str | None:
        """A required field that none of the records has: the object is not what the contract promises."""
        whole = self._columns is not None
        return next(
            (
                name
                for name in self._required
                if name in self._absent and (whole or 0 < self._records == self._absent[name])
            ),
            None,
        )

    def found(self, name_of: Callable[[str], str]) -> list[Drift]:
        """Every difference that holds for the object; ``name_of`` makes a field's name fit to be stored.

        A field is missing if no record has it, and retyped if that is so in at least half of the records.
        """
        missing = {
            kind: [
                name
                for name in names
                if name in self._absent and (self._columns is not None or 0 < self._records == self._absent[name])
            ]
            for kind, names in (("missing_required", self._required), ("missing_optional", self._optional))
        }
        missing["missing_required"] = missing["missing_required"] or self._held
        suggested = suggestions([*missing["missing_required"], *missing["missing_optional"]], list(self._new))
        result = [Drift("new", name, count) for name, count in sorted(self._new.items())[:MOST_FIELDS]]
        for kind, names in missing.items():
            result += [Drift(kind, name, self._records, suggested.get(name)) for name in names[:MOST_FIELDS]]
        result += [
            Drift("retyped", name, count)
            for name, count in sorted(self._retyped.items())[:MOST_FIELDS]
            if 2 * count >= self._records
        ]
        return [
            Drift(one.kind, name_of(one.field), one.records, name_of(one.suggestion) if one.suggestion else None)
            for one in result
        ]


def _absent(declared: Sequence[str], shape: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``declared`` that are neither in ``shape``, nor above nor below a path in it."""
    there = set(shape)
    return tuple(
        name
        for name in declared
        if name not in there and not any(_within(name, path) or _within(path, name) for path in shape)
    )


def _within(inner: str, outer: str) -> bool:
    return inner.startswith(outer) and inner[len(outer) : len(outer) + 1] in (".", "[")


def suggestions(missing: Sequence[str], new: Sequence[str]) -> Mapping[str, str]:
    """For each missing field the new one whose name is most like it, the likest pairs first."""
    if not missing or not new:
        return {}
    from rapidfuzz import fuzz, utils  # needed only where something is missing

    def likeness(one: str, other: str) -> float:
        names = (one.rpartition(".")[2], other.rpartition(".")[2])
        return max(
            fuzz.token_sort_ratio(*names, processor=utils.default_process),
            fuzz.ratio(*("".join(filter(str.isalnum, name.casefold())) for name in names)),
        )

    pairs = sorted((-likeness(old, name), old, name) for old in missing for name in new[: 4 * MOST_FIELDS])
    result: dict[str, str] = {}
    for score, old, name in pairs:
        if -score >= _SIMILAR and old not in result and name not in result.values():
            result[old] = name
    return result
