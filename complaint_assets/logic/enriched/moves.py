"""What other rules would change: who moves from where to where."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from heapq import nsmallest
from typing import Any

import pyarrow as pa

ASPECTS = ("category", "contact_class", "severity")
"""What is compared; a complaint that only moves to another subcategory counts as one that stays."""
READ = ("complaint_id", "channel", *ASPECTS)


class Moves:
    """Counts over any number of batches; what is told does not depend on how they are cut."""

    def __init__(self, examples: int) -> None:
        self.complaints = 0
        self.moved = 0
        self._most = examples
        self._channels: dict[tuple[str, Any, Any], Counter[str]] = defaultdict(Counter)
        self._examples: dict[tuple[Any, Any], list[str]] = defaultdict(list)

    def add(self, before: pa.Table, after: pa.Table) -> None:
        """Compare the same complaints, row by row, under the former rules and under the new ones."""
        ids, channels = before["complaint_id"].to_pylist(), before["channel"].to_pylist()
        pairs = {
            aspect: list(zip(before[aspect].to_pylist(), after[aspect].to_pylist(), strict=True))
            for aspect in ASPECTS
        }
        self.complaints += len(ids)
        for aspect, changes in pairs.items():
            for channel, (old, new) in zip(channels, changes, strict=True):
                if old != new:
                    self._channels[aspect, old, new][channel] += 1
        moved = [
            row for row in range(len(ids)) if any(old != new for old, new in (c[row] for c in pairs.values()))
        ]
        self.moved += len(moved)
        for row in moved:
            move = pairs["category"][row]
            if move[0] != move[1]:
                known = self._examples[move]
                known.append(ids[row])
                if len(known) > 2 * self._most:
                    self._examples[move] = nsmallest(self._most, known)

    def counts(self) -> dict[str, Any]:
        """Complaints, how many move, and per aspect every move with its volume per channel, the largest first."""
        return {
            "complaints": self.complaints,
            "moved": self.moved,
            **{aspect: list(self._of(aspect)) for aspect in ASPECTS},
        }

    def _of(self, aspect: str) -> Iterable[dict[str, Any]]:
        found = [(old, new, channels) for (of, old, new), channels in self._channels.items() if of == aspect]
        for old, new, channels in sorted(found, key=lambda move: (-move[2].total(), move[0], move[1])):
            by_channel = dict(sorted(channels.items()))
            yield {"from": old, "to": new, "complaints": channels.total(), "channels": by_channel}

    def examples(self) -> Mapping[tuple[Any, Any], list[str]]:
        """Per move between categories, ids of some complaints: as good as drawn by lot, ids being keyed hashes."""
        return {move: nsmallest(self._most, ids) for move, ids in self._examples.items()}
