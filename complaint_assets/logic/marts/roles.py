"""What each role may see: nothing that is not named."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from complaint_assets.logic.surges.counts import midnight

from .metrics import DIMENSIONS, Metrics

_NEVER, _FOREVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class MartTable:
    """A table of figures (``by``, ``metrics``), or of rows (``of``, ``columns``)."""

    name: str
    columns: tuple[str, ...]
    of: str = ""
    by: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class RoleReport:
    """The page of a role: what is compared, the metrics at its head, and its sections in order."""

    over: Literal["day", "week", "month"]
    tiles: tuple[str, ...]
    sections: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Role:
    """Who somebody is to the house: see the head of ``roles.yaml``."""

    name: str
    audience: str
    purpose: str
    freshness: Literal["streaming", "daily"]
    days: Literal["open", "closed"]
    small_cell: int
    ask: bool
    trace: Literal["no", "ids", "bytes"]
    report: RoleReport
    tables: Mapping[str, MartTable]

    def end(self, as_of: datetime | None) -> datetime:
        """End of what the role may see of data that is whole up to ``as_of``."""
        if self.days == "open":
            return _FOREVER
        return midnight(as_of.date()) if as_of else _NEVER


@dataclass(frozen=True)
class Roles:
    """All roles, and the terms of their figures."""

    version: str
    closing_hours: int
    roles: Mapping[str, Role]

    def __getitem__(self, name: str) -> Role:
        """The role called ``name``.

        Raises:
            ValueError: there is none.
        """
        if name not in self.roles:
            raise ValueError(f"{name} is no role; there are {', '.join(sorted(self.roles))}")
        return self.roles[name]


def roles_of(data: Mapping[str, Any], metrics: Metrics) -> Roles:
    """The roles that ``data`` (valid by the JSON Schema) describes.

    Raises:
        ValueError: a table has a metric or dimension that there is not.
    """

    def checked(names: Iterable[str], where: str) -> tuple[str, ...]:
        for metric in names:
            if metrics[metric].of != "facts" or metrics[metric].kind in ("share", "per_subscribers", "age"):
                raise ValueError(f"{where}: {metric} cannot stand in a table of figures")
        return tuple(names)

    roles = {}
    for name, row in data["roles"].items():
        tables = {}
        for table, entry in row["tables"].items():
            by, names = tuple(entry.get("by", ())), checked(entry.get("metrics", ()), f"{name}.{table}")
            if odd := set(by) - set(DIMENSIONS["facts"]):
                raise ValueError(f"{name}.{table}: no dimension {', '.join(sorted(odd))}")
            columns = (*by, *names) or tuple(entry["columns"])
            tables[table] = MartTable(table, columns, entry.get("of", ""), by, names)
        given = {key: row[key] for key in ("audience", "purpose", "freshness", "days", "ask", "trace")}
        small = data["small_cell"] if row["small_cells"] == "merged" else 0
        page = row["report"]
        report = RoleReport(page["over"], checked(page["tiles"], f"{name}.report"), tuple(page["sections"]))
        roles[name] = Role(name=name, small_cell=small, report=report, tables=tables, **given)
    return Roles(data["version"], data["closing_hours"], roles)


def withheld(people: Sequence[int | None], small_cell: int) -> list[bool]:
    """Which cells of a table to leave empty: those of few people, and as many others as hide them.

    The figure of a single small cell could be told from the whole: the next larger cells are withheld with it
    until what is withheld comes to ``small_cell`` people or more. Cells of nobody, and of no people, are shown.
    """
    hidden = [False] * len(people)
    order = sorted((number, position) for position, number in enumerate(people) if number)
    so_far = 0
    for number, position in order:
        if number >= small_cell and (so_far == 0 or so_far >= small_cell):
            break
        hidden[position] = True
        so_far += number
    return hidden


def withheld_in_grid(people: Sequence[Sequence[int]], small_cell: int) -> list[list[bool]]:
    """Which cells of a table with totals of its rows and columns to leave empty.

    Those of few people, and as many others as hide them: what is withheld of each row and column comes to
    ``small_cell`` people or more, and no withheld cell follows from the totals and what is shown (complementary
    suppression). The smallest others are withheld, those of nobody last.
    """
    hidden = [[0 < number < small_cell for number in row] for row in people]
    while (more := _one_more(people, hidden, small_cell)) is not None:
        hidden[more[0]][more[1]] = True
    return hidden


def _one_more(
    people: Sequence[Sequence[int]], hidden: list[list[bool]], small_cell: int
) -> tuple[int, int] | None:
    """The next cell to withhold; None = enough are."""
    away = [(y, x) for y, row in enumerate(hidden) for x, hide in enumerate(row) if hide]
    rest = [(y, x) for y, row in enumerate(hidden) for x, hide in enumerate(row) if not hide]
    for axis in (0, 1):
        for line in sorted({cell[axis] for cell in away}):
            so_far = sum(people[y][x] for y, x in away if (y, x)[axis] == line)
            beside = [cell for cell in rest if cell[axis] == line and people[cell[0]][cell[1]]]
            if so_far < small_cell and beside:
                return min(beside, key=lambda cell: people[cell[0]][cell[1]])
    for y, x in _told_by_totals(away):
        beside = [cell for cell in rest if cell[0] == y or cell[1] == x]
        if beside:
            return min(beside, key=lambda cell: (not people[cell[0]][cell[1]], people[cell[0]][cell[1]]))
    return None


def _told_by_totals(away: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Which of the withheld cells ``away`` follow from the totals: what changes them changes some total."""
    if not away:
        return []
    lines = [(axis, line) for axis in (0, 1) for line in sorted({cell[axis] for cell in away})]
    sums = np.array([[float(cell[axis] == line) for cell in away] for axis, line in lines])
    _, sizes, vectors = np.linalg.svd(sums)
    free = vectors[int((sizes > 1e-9).sum()) :]  # the ways to change cells that change no total
    return [cell for cell, moves in zip(away, np.abs(free).max(axis=0, initial=0.0), strict=True) if moves < 1e-9]
