"""What each role may see: nothing that is not named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

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
    roles = {}
    for name, row in data["roles"].items():
        tables = {}
        for table, entry in row["tables"].items():
            by, names = tuple(entry.get("by", ())), tuple(entry.get("metrics", ()))
            for metric in names:
                if metrics[metric].of != "facts" or metrics[metric].kind in ("share", "per_subscribers", "age"):
                    raise ValueError(f"{name}.{table}: {metric} cannot stand in a table of figures")
            if odd := set(by) - set(DIMENSIONS["facts"]):
                raise ValueError(f"{name}.{table}: no dimension {', '.join(sorted(odd))}")
            columns = (*by, *names) or tuple(entry["columns"])
            tables[table] = MartTable(table, columns, entry.get("of", ""), by, names)
        given = {key: row[key] for key in ("audience", "purpose", "freshness", "days", "ask", "trace")}
        small = data["small_cell"] if row["small_cells"] == "merged" else 0
        roles[name] = Role(name=name, small_cell=small, tables=tables, **given)
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
