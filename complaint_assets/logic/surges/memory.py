"""What a replay remembers at the end of each day, so that the next one goes on from there.

A replay that goes on from a memory finds what a replay of everything finds, to the last digit.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from .counts import KEYS, Cube, Flags, Reals
from .lifecycle import Incident, Transition
from .noise import Earlier
from .scopes import Scope
from .surge_metrics import HEARD
from .surge_scan import Lattice

_STEPS = ("started", "detected", "last", "resolved")


@lru_cache(maxsize=8)
def _labels(content: bytes) -> tuple[list[list[str]], list[str]]:
    """Series and nodes. Most days have those of the day before, and reading them takes longer than all else."""
    series, nodes = json.loads(content)
    return series, nodes


@dataclass(frozen=True)
class Memory:
    """The end of one day.

    Attributes:
        series: [series, key] those of which anything was expected on the day or the day before.
        nodes: labels of the nodes that showed anything.
        sums: [2, window, node] what they showed of noise.
        quiet: [series, hour of the day] without a surge.
        live: incidents that may go on, steps counted from the epoch.
        told: rows (``Surges``) of those that ceased to be such on the day.
    """

    series: list[list[str]]
    nodes: list[str]
    sums: Reals
    quiet: Flags
    live: list[dict[str, Any]]
    told: list[dict[str, Any]]

    def to_bytes(self) -> bytes:
        """All but ``told``."""
        buffer = io.BytesIO()
        labels, live = (
            np.frombuffer(json.dumps(words).encode(), dtype=np.uint8)
            for words in ([self.series, self.nodes], self.live)
        )
        np.savez(buffer, sums=self.sums, quiet=self.quiet, labels=labels, live=live)
        return buffer.getvalue()

    @classmethod
    def of_bytes(cls, content: bytes) -> "Memory":
        """From ``to_bytes``, without ``told``."""
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            series, nodes = _labels(kept["labels"].tobytes())
            return cls(series, nodes, kept["sums"], kept["quiet"], json.loads(kept["live"].tobytes()), [])

    @property
    def oldest(self) -> int | None:
        """First step of the incidents that may go on."""
        return min((incident["started"] for incident in self.live), default=None)


@dataclass(frozen=True)
class Resumed:
    """Where a replay goes on.

    Attributes:
        first: first day of all that was ever replayed.
        day: the first that is to be scanned.
        memories: those of the days before it, in order: the last ``noise.MEMORY_DAYS``, or all there are.
    """

    first: date
    day: date
    memories: Sequence[Memory]

    def empty_rows(self, rows: pa.Table) -> pa.Table:
        """``rows``, and one that counts nothing of each series that is remembered."""
        series = sorted({tuple(names) for memory in self.memories for names in memory.series})
        if not series or not rows.num_rows:
            return rows
        columns = {key: [names[place] for names in series] for place, key in enumerate(KEYS)}
        at = {name: rows[name][:1].to_pylist() * len(series) for name in ("event_date", "bucket_start")}
        at["source_state"] = [HEARD] * len(series)
        nothing = {name: columns.get(name) or at.get(name) or [0] * len(series) for name in rows.schema.names}
        return pa.concat_tables([rows, pa.table(nothing, schema=rows.schema)])

    def earlier(self, lattice: Lattice, first: date) -> Earlier:
        """What ``lattice``, whose cube begins with ``first``, takes from the days before."""
        place = {label: number for number, label in enumerate(lattice.labels)}
        windows = self.memories[-1].sums.shape[1]
        sums = np.zeros((2, len(self.memories), windows, lattice.nodes))
        for number, memory in enumerate(self.memories):
            sums[:, number][:, :, [place[label] for label in memory.nodes]] = memory.sums
        quiet = np.ones((lattice.series, 24), dtype=bool)
        series = {tuple(names): number for number, names in enumerate(series_names(lattice.cube))}
        newest = self.memories[-1]
        quiet[[series[tuple(names)] for names in newest.series]] = newest.quiet
        return Earlier((self.day - first).days, (self.day - self.first).days, sums, quiet)


def series_names(cube: Cube) -> list[list[str]]:
    """Channel, category and region per series."""
    return [
        [names[code] for names, code in zip(cube.names, codes, strict=True)]
        for codes in np.stack(cube.codes, axis=1)
    ]


def remembered(
    lattice: Lattice, day: int, live: Sequence[tuple[str, Incident]], told: list[dict[str, Any]], zero: int
) -> Memory:
    """The memory of the end of the ``day`` of the cube.

    Args:
        lattice: what was scanned.
        day: position in the cube.
        live: id and state of the incidents that may go on.
        told: rows of those that ceased to.
        zero: step from the epoch with which the cube begins.
    """
    hours = slice(max(day * 24 - 24, 0), day * 24 + 24)
    heard = np.flatnonzero(lattice.cube.measures["expected"][:, hours].any(1))
    names = series_names(lattice.cube)
    noise = lattice.noise
    scanned = noise.sums[:, noise.sums.shape[1] - (lattice.hours // 24 - day)]
    nodes = np.flatnonzero(scanned.any((0, 1)))
    labels = lattice.labels
    return Memory(
        [names[number] for number in heard],
        [labels[number] for number in nodes],
        scanned[:, :, nodes],
        noise.quiet[heard, day * 24 : day * 24 + 24],
        [{"surge_id": name, **_packed(incident, zero)} for name, incident in live],
        told,
    )


def _packed(incident: Incident, zero: int) -> dict[str, Any]:
    moved = {name: None if (step := getattr(incident, name)) is None else step + zero for name in _STEPS}
    same = {name: getattr(incident, name) for name in ("score", "gain", "severity", "calm")}
    return {
        **moved,
        **same,
        "scope": asdict(incident.scope),
        "held": [asdict(scope) for scope in incident.held],
        "transitions": [asdict(replace(change, step=change.step + zero)) for change in incident.transitions],
    }


def _scope(packed: Mapping[str, Any]) -> Scope:
    regions = packed["regions"]
    return Scope(packed["channel"], packed["category"], None if regions is None else tuple(regions))


def unpacked(packed: Mapping[str, Any], lattice: Lattice, zero: int) -> Incident:
    """The incident that goes on."""
    scope = _scope(packed["scope"])
    steps: dict[str, Any] = {name: None if packed[name] is None else packed[name] - zero for name in _STEPS}
    return Incident(
        scope=scope,
        series=lattice.series_of(scope),
        **steps,
        score=packed["score"],
        gain=packed["gain"],
        severity=packed["severity"],
        calm=packed["calm"],
        held=[_scope(scope) for scope in packed["held"]],
        transitions=[Transition(**{**change, "step": change["step"] - zero}) for change in packed["transitions"]],
    )
