"""A lake belongs to one environment, and no other opens it."""

from pathlib import Path

import dagster as dg
import pytest

from resources.lake import Lake, WrongEnvironment
from resources.stores import RefusedLake, Stores


@pytest.mark.parametrize(
    ("first", "second"), [("prod", "dev"), ("prod", "test"), ("dev", "prod"), ("test", "dev")]
)
def test_a_lake_marked_by_one_environment_is_refused_by_another(place: str, first: str, second: str) -> None:
    Lake(place).claim(first)
    Lake(place).claim(first)
    with pytest.raises(WrongEnvironment, match=f"marked {first} and COMPLAINTS_ENV is {second}"):
        Lake(place).claim(second)
    Lake(place).claim(first)


def stores(folder: Path, environment: str) -> Stores:
    return Stores(
        lake_url=str(folder / "lake"),
        inbox_url=str(folder / "inbox"),
        tables_url=str(folder / "tables"),
        environment=environment,
    )


@pytest.mark.parametrize("part", ["lake", "tables"])
def test_stores_of_another_environment_fail_without_retries(tmp_path: Path, part: str) -> None:
    _ = stores(tmp_path, "prod").lake
    with pytest.raises(RefusedLake) as refusal:
        getattr(stores(tmp_path, "dev"), part)
    assert isinstance(refusal.value, dg.Failure)
    assert refusal.value.allow_retries is False


def test_an_asset_is_not_tried_again_on_data_of_another_environment(tmp_path: Path) -> None:
    _ = stores(tmp_path, "prod").lake
    tries = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    def reader(stores: Stores) -> None:
        tries.append(1)
        stores.tables.count("complaints")

    result = dg.materialize([reader], resources={"stores": stores(tmp_path, "test")}, raise_on_error=False)
    assert not result.success
    assert len(tries) == 1
