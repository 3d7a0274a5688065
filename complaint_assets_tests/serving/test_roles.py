"""The promises of roles: each gets the tables and columns that are named for it, and no small cell."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.logic.marts.roles import withheld, withheld_in_grid
from complaint_assets.roles import BUILT_IN, RoleError, load_roles
from complaint_assets.schemas.types import arrow_schema
from complaint_assets.tables import LAKE_TABLES, MART_TABLES, WAREHOUSE_TABLES

ROLES = load_roles().roles
PERSONAL = {"subject_id", "customer_id", "complaint_id", "example_ids"}
"""Columns that tell people or their complaints apart."""
WORDS = {"text", "masked_text", "attributes", "evidence", "author_ref", "source_record_id", "place", "latitude"}
"""Columns with what was said, or with what leads to a person."""


def test_each_role_gets_exactly_the_tables_and_columns_named_for_it() -> None:
    assert {role: set(tables) for role, tables in MART_TABLES.items()} == {
        name: set(role.tables) for name, role in ROLES.items()
    }
    for name, role in ROLES.items():
        for table, entry in role.tables.items():
            assert arrow_schema(MART_TABLES[name][table]).names == list(entry.columns), f"{name}.{table}"


@pytest.mark.parametrize("role", ROLES)
def test_no_role_gets_a_column_that_is_not_its_own(role: str) -> None:
    """The matrix of roles and every column of the house that tells of a person."""
    columns = {column for table in ROLES[role].tables.values() for column in table.columns}
    allowed = {
        "operations": {"example_ids"},
        "reporting": set(),
        "data_science": {"complaint_id", "subject_id", "customer_id", "masked_text"},
        "privacy": set(),
        "regulator": set(),
    }[role]
    assert columns & (PERSONAL | WORDS) == allowed
    everything = {
        name for model in (*LAKE_TABLES.values(), *WAREHOUSE_TABLES.values()) for name in arrow_schema(model).names
    }
    assert everything >= PERSONAL | WORDS  # the columns watched here exist


def test_only_roles_that_see_no_person_have_their_small_cells_merged_and_only_privacy_sees_bytes() -> None:
    assert {name for name, role in ROLES.items() if role.small_cell == 5} == {"reporting", "regulator"}
    assert {name for name, role in ROLES.items() if role.trace == "bytes"} == {"privacy"}
    assert {name for name, role in ROLES.items() if role.trace == "no"} == {"reporting", "regulator"}


@given(st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=12), st.integers(2, 6))
def test_what_is_withheld_hides_every_small_cell_and_cannot_be_told_from_the_whole(
    people: list[int | None], k: int
) -> None:
    hidden = withheld(people, k)
    assert all(hide for number, hide in zip(people, hidden, strict=True) if number and number < k)
    assert not any(hide for number, hide in zip(people, hidden, strict=True) if not number)
    total = sum(number or 0 for number, hide in zip(people, hidden, strict=True) if hide)
    everyone = sum(number or 0 for number in people)
    assert total == 0 or total >= k or total == everyone
    if not any(number and number < k for number in people):
        assert not any(hidden)


GRIDS = st.integers(1, 4).flatmap(
    lambda wide: st.lists(st.lists(st.integers(0, 20), min_size=wide, max_size=wide), min_size=1, max_size=4)
)


@given(GRIDS, st.integers(2, 6))
def test_no_small_cell_of_a_table_follows_from_its_totals(people: list[list[int]], k: int) -> None:
    hidden = withheld_in_grid(people, k)
    cells = [(y, x) for y in range(len(people)) for x in range(len(people[0]))]
    away = [(y, x) for y, x in cells if hidden[y][x]]
    assert {(y, x) for y, x in cells if 0 < people[y][x] < k} <= set(away)
    if not any(0 < people[y][x] < k for y, x in cells):
        assert not away
    if len(away) == len(cells):
        return  # nothing more can be withheld
    for axis in (0, 1):
        for line in {cell[axis] for cell in away}:
            inside = [cell for cell in cells if cell[axis] == line]
            total = sum(people[y][x] for y, x in inside if hidden[y][x])
            assert total >= k or not any(people[y][x] for y, x in inside if not hidden[y][x])
    # A cell follows from the totals if without it the equations lose a rank.
    lines = [(axis, line) for axis in (0, 1) for line in range(max(len(people), len(people[0])))]
    sums = np.array([[float(cell[axis] == line) for cell in away] for axis, line in lines]).reshape(len(lines), -1)
    for at, (y, x) in enumerate(away):
        without = np.delete(sums, at, axis=1)
        told = np.linalg.matrix_rank(without) < np.linalg.matrix_rank(sums)
        whole_cross = all(hidden[j][i] for j, i in cells if j == y or i == x)
        assert not told or whole_cross


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("metrics: [complaints, complainants", "metrics: [complaint, complainants", "complaint is no metric"),
        ("by: [month, category]", "by: [month, colour]", "no dimension colour"),
        ("trace: bytes", "trace: everything", "'everything' is not one of"),
        ("    ask: false\n", "    ask: false\n    also: true\n", "unknown key 'also'"),
    ],
)
def test_a_wrong_role_is_refused_by_name(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (BUILT_IN / "roles.yaml").read_text()
    assert old in text
    (tmp_path / "roles.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(RoleError, match=told):
        load_roles(tmp_path / "roles.yaml")
