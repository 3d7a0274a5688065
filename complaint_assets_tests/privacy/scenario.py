"""One process that lives through an erasure and its aftermath, by the commands a person would type.

``python -m complaint_assets_tests.privacy.scenario RESULT`` writes what it saw after every step; the tests judge.
"""

import json
import shutil
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from complaint_assets.cli import app, prepare_environment
from complaint_assets.cli.common import stores
from complaint_assets_tests.privacy import deliveries
from resources.queue import MOST_RECEIVES
from resources.settings import settings

SEEN: dict[str, Any] = {}


def complaints(*arguments: object, typed: str = "", fails: bool = False) -> Any:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], input=typed)
    if (done.exit_code != 0) is not fails:
        raise SystemExit(f"{arguments}: {done.exit_code} {done.output[-2000:]} {done.exception!r}")
    return None if fails else json.loads(done.stdout)


def snapshot() -> dict[str, Any]:
    """What every complaint says, what is pending, whether records are accounted for."""
    from complaint_assets.checks.conservation import slot_accounts
    from complaint_assets.schemas.complaints import Complaints
    from complaint_assets.schemas.standardised import Standardised
    from complaint_assets.schemas.types import CHANNELS, arrow_schema

    status = complaints("status")
    tables = stores().tables
    found = tables.scan("complaints", arrow_schema(Complaints)).to_pylist()
    volatile = ("first_delivery_id",)  # it names a place in the raw object, which moves with what lies before it
    standardised = tables.scan("standardised", arrow_schema(Standardised)).to_pylist()
    return {
        "complaints": {
            row["complaint_id"]: json.dumps({k: v for k, v in row.items() if k not in volatile}, default=str)
            for row in found
        },
        "deliveries": sorted(f"{row['source']}/{row['source_record_id']}" for row in standardised),
        "pending": status["event_dates_pending"] + sum(one["slots_pending"] for one in status["channels"]),
        "rows": {row["table"]: row["rows"] for row in status["layers"]},
        "unaccounted": [
            row for channel in CHANNELS for row in slot_accounts(tables, channel).to_pylist() if row["difference"]
        ],
    }


def leftovers(part: str = "") -> list[str]:
    """Files in which Ada's digits or address stand: by a search of its own, tables read by column."""
    import pyarrow.parquet as pq

    marks = [deliveries.ADA[4:].encode(), deliveries.ADA_MAIL.encode(), b"803 123 4567"]
    found = []
    for path in sorted((settings().home / part).rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".parquet":
                data += repr(pq.read_table(path).to_pylist()).encode()
            if any(mark in data or mark.decode() in path.name for mark in marks):
                found.append(str(path.relative_to(settings().home)))
    return found


def main(result: Path) -> None:
    home, backup = settings().home, result.parent / "backup"
    prepare_environment()
    day = deliveries.yesterday()
    deliveries.write(home, day)
    shutil.copytree(home / "inbox", backup / "inbox")
    complaints("run")
    SEEN["before"] = snapshot()
    for part in ("lake", "tables"):
        shutil.copytree(home / part, backup / part)

    asked = ("erase", "--identifier", "-")
    typed = f"phone: 0{deliveries.ADA[4:]}\n"  # her form names the address beside it
    SEEN["dry"] = complaints(*asked, "--dry-run", typed=typed)
    late = home / "inbox" / "sms" / "gateway" / f"{day}T12" / "left.jsonl"
    deliveries.put(late, deliveries.sms("l1", deliveries.ADA, f"{day} 11:30:00", "again no network"))
    tell_of_her_elsewhere(day)
    SEEN["erased"] = complaints(*asked, "--operator", "dpo", typed=typed)
    SEEN["after"], SEEN["left"] = snapshot(), leftovers()
    SEEN["links_left"] = stores().tables.count("probable_links")
    SEEN["audit"] = complaints("audit", "list")
    SEEN["audit_bytes"] = (home / "audit" / "log.jsonl").read_text()
    SEEN["rerun"] = complaints("run")

    # Everything but the audit log comes back from a backup, and the old files are delivered once more.
    for part in ("lake", "tables"):
        shutil.rmtree(home / part)
        shutil.copytree(backup / part, home / part)
    reapply()
    SEEN["restored_left"] = leftovers("lake")
    shutil.copytree(backup / "inbox", home / "inbox", dirs_exist_ok=True)
    now = datetime.now(UTC) + timedelta(hours=1)  # the gateway's clock is Lagos
    deliveries.put(
        home / "inbox" / "sms" / "gateway" / "new.jsonl",
        deliveries.sms("new", deliveries.OTHERS[0], f"{now:%Y-%m-%d %H:%M:%S}", "hello")
        + deliveries.sms("back", deliveries.ADA, f"{now:%Y-%m-%d %H:%M:%S}", "hello again"),
    )
    complaints("run")
    SEEN["returned"], SEEN["returned_left"] = snapshot(), leftovers()
    result.write_text(json.dumps(SEEN))


def tell_of_her_elsewhere(day: date) -> None:
    """Messages that wait or are dead letters, and a pair of subjects that may be one customer."""
    import pyarrow as pa

    from complaint_assets.schemas.subjects import ProbableLinks
    from complaint_assets.schemas.types import arrow_schema

    home = stores()
    queue, ada = home.queue, home.vault.find("phone", deliveries.ADA)
    queue.send("sms", "nobody_knows", [deliveries.sms("d1", deliveries.ADA, f"{day} 11:00:00", "dead").encode()])
    for _ in range(MOST_RECEIVES + 1):
        queue.extend("sms", queue.receive("sms", 10, 60), 0)
    assert queue.depth("sms").dead == 1
    queue.send("sms", "gateway", [deliveries.sms("q1", deliveries.ADA, f"{day} 11:00:00", "waiting").encode()])
    pair = {"left": ada, "right": "somebody", "match_weight": 9.0, "band": "strong", "model_version": "1"}
    schema = arrow_schema(ProbableLinks)
    others = {**pair, "left": "another"}
    home.tables.replace(
        "probable_links",
        pa.Table.from_pylist([pair, others], schema=schema),
        schema=schema,
        partition_by=["band"],
        where=None,
        sort_by=["left"],
        statistics=["band"],
    )
    SEEN["dry_links"] = complaints("erase", "--subject", ada, "--dry-run")[0]["rows"]["probable_links"]


def reapply() -> None:
    """The daily asset, in a run of its own."""
    from dagster import DagsterInstance

    from complaint_assets.definitions import defs

    with DagsterInstance.get() as instance:
        done = defs.resolve_job_def("privacy").execute_in_process(instance=instance)
    (event,) = (e for e in done.get_asset_materialization_events() if e.asset_key.path == ["erasure_ledger"])
    SEEN["cut_again"] = event.materialization.metadata["objects_cut_again"].value


if __name__ == "__main__":
    main(Path(sys.argv[1]))
