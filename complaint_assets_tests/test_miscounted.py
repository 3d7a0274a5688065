"""A file that is short of its own count, on real stores: held and told of, while its neighbours flow."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from complaint_assets.assets.standardised import QUARANTINE, STANDARDISED, standardise_slots
from complaint_assets.checks.drift import build_drift_check
from complaint_assets.ledger import Ledger
from complaint_assets.logic.identify import Keys
from complaint_assets_tests.logic.test_trailer import CSV, FILES
from resources.stores import Stores

SLOT = "2026-11-10"
KEYS = Keys(b"k" * 32)


def test_a_miscounted_file_is_held_told_of_and_read_once_it_is_whole(tmp_path: Path) -> None:
    folders = {name: str(tmp_path / name) for name in ("lake", "inbox", "tables")}
    stores = Stores(**{f"{name}_url": folder for name, folder in folders.items()}, environment="test")
    _, whole = FILES["csv"]
    contracts = {("survey", "s"): CSV, ("survey", "t"): replace(CSV, source="t")}

    def take_in(source: str, content: bytes) -> None:
        at = datetime(2026, 11, 10, 9, tzinfo=UTC)
        stores.lake.land("survey", source, SLOT, f"{source}.csv", at, io.BytesIO(content))
        stores.lake.seal("survey", SLOT)
        standardise_slots(stores, "survey", [SLOT], contracts, KEYS)

    check = build_drift_check("survey")
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(check))
    defs = dg.Definitions(asset_checks=[check], jobs=[job], resources={"stores": stores})

    def told() -> dg.AssetCheckEvaluation:
        with dg.DagsterInstance.ephemeral() as instance:
            done = defs.resolve_job_def("checks").execute_in_process(instance=instance)
        (evaluation,) = done.get_asset_check_evaluations()
        return evaluation

    take_in("t", whole.replace(b"at all", b"for days"))
    assert told().metadata["objects_miscounted"].value == 0
    take_in("s", whole[: len(whole) // 2])
    tables = stores.tables
    assert tables.scan("standardised", STANDARDISED)["source"].to_pylist() == ["t"] * 12
    (row,) = tables.scan("quarantine", QUARANTINE).to_pylist()
    assert (row["source"], row["reason"], row["byte_length"]) == ("s", "count_mismatch", len(whole) // 2)
    intake = {row["source"]: row for row in Ledger(tables).intake("survey")}
    assert [(intake[one]["records_in"], intake[one]["quarantined"]) for one in "st"] == [(1, 1), (12, 0)]
    result = told()
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert result.metadata["objects_miscounted"].value == 1
    take_in("s", whole)
    assert sorted(tables.scan("standardised", STANDARDISED)["source"].to_pylist()) == ["s"] * 12 + ["t"] * 12
