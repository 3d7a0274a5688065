"""``complaints status`` and ``digest``: what there is and whether it is up to date."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from complaint_assets.cli.common import AsJson, out, show, stores, warehouse
from resources.settings import settings

app = typer.Typer()


@app.command()
def status(as_json: AsJson = False) -> None:
    """What has arrived, what is pending, and how many rows each layer holds."""
    from collections import Counter

    from complaint_assets.assets.standardised import QUARANTINE
    from complaint_assets.ledger import Ledger, newest_slot_age
    from complaint_assets.schemas.standardised import HELD
    from complaint_assets.schemas.types import CHANNELS

    home = stores()
    ledger = Ledger(home.tables)
    now = datetime.now(UTC)
    held = Counter(
        home.tables.scan("quarantine", QUARANTINE, columns=["channel", "reason"], where=[("reason", "in", HELD)])[
            "channel"
        ].to_pylist()
    )
    channels = []
    for channel in CHANNELS:
        rows = ledger.intake(channel)
        newest, age = newest_slot_age(rows, channel, now)
        channels.append(
            {
                "channel": channel,
                "objects": len(rows),
                "empty": sum(not row["bytes"] for row in rows),
                "without_records": sum(bool(row["bytes"]) and not row["records_in"] for row in rows),
                "held": held[channel],
                "records_in": sum(row["records_in"] for row in rows),
                "standardised": sum(row["standardised"] for row in rows),
                "quarantined": sum(row["quarantined"] for row in rows),
                "newest_slot": newest,
                "age_hours": None if newest is None else round(age / timedelta(hours=1), 1),
                "slots_pending": len(ledger.stale_slots(home.lake, channel)),
            }
        )
    pending = ledger.pending_dates()
    summary: dict[str, Any] = {
        "home": str(settings().home),
        "environment": settings().env,
        "event_dates_pending": len(pending.chain) + len(pending.metrics),
        "layers": layer_rows(),
        "event_dates": ledger.event_dates(),
    }
    if as_json:
        typer.echo(json.dumps({**summary, "channels": channels}, default=str, indent=2))
        return
    show(channels, False, "Channels")
    show(summary["layers"], False, "Layers")
    out.print(f"{summary['event_dates_pending']} event dates pending; home {summary['home']}")


def layer_rows() -> list[dict[str, Any]]:
    """Rows of every table."""
    from complaint_assets.schemas.types import arrow_schema
    from complaint_assets.tables import LAKE_TABLES, WAREHOUSE_TABLES

    home, store = stores(), warehouse()
    rows = []
    for name in LAKE_TABLES:
        rows.append({"table": name, "rows": home.tables.count(name), "where": home.tables.location(name)})
    for name, model in WAREHOUSE_TABLES.items():
        rows.append(
            {
                "table": name,
                "rows": store.count(name, arrow_schema(model)),
                "where": str(settings().warehouse),
            }
        )
    return rows


@app.command()
def digest(as_json: AsJson = False) -> None:
    """Content digest of every table: equal content gives equal digests, however it was built."""
    show([{"table": name, "digest": value} for name, value in table_digests().items()], as_json, "Digests")


def table_digests() -> dict[str, str]:
    """Digest of every table that is derived from the raw lake, the ledger aside."""
    from complaint_assets.logic.digest import digest as digest_of
    from complaint_assets.schemas.types import arrow_schema
    from complaint_assets.tables import LAKE_TABLES, WAREHOUSE_TABLES

    home, store = stores(), warehouse()
    lake = {name: digest_of(home.tables.scan(name, arrow_schema(model))) for name, model in LAKE_TABLES.items()}
    rest = {name: digest_of(store.read(name, arrow_schema(m))) for name, m in WAREHOUSE_TABLES.items()}
    return lake | rest
