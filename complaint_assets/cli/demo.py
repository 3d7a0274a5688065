"""``complaints demo`` and ``ui``: from nothing to a running UI."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from complaint_assets.cli.common import err, out, show, stores, warehouse
from complaint_assets.cli.run import run_everything
from complaint_assets.cli.simulate import simulate_traffic
from complaint_assets.cli.status import layer_rows
from resources.settings import REPOSITORY, settings

app = typer.Typer()


@app.command()
def demo(
    deliveries: Annotated[int, typer.Option(min=1000)] = 20_000,
    days: Annotated[int, typer.Option(min=1)] = 14,
    seed: int = 1,
) -> None:
    """Simulate traffic, take it in, materialise everything and say what was found."""
    home = settings().home
    truth = home / "truth.json"
    if truth.exists():
        err.print(f"{home} holds traffic already: it is brought up to date (make clean starts afresh)")
    else:
        simulate_traffic(home / "inbox", deliveries, days, seed, None, truth, quiet=False)
    show(run_everything(None, quiet=False), False, "Runs")
    demo_summary(truth)


def demo_summary(truth: Path) -> None:
    """Print what the demo made and where it lies."""
    from complaint_assets.schemas.surges import Surges
    from complaint_assets.schemas.types import arrow_schema

    home = settings()
    show(layer_rows(), False, "Rows per table")
    intake = stores().tables
    from complaint_assets.ledger import Ledger

    rows = Ledger(intake).intake()
    figures = {row["table"]: row["rows"] for row in layer_rows()}
    records, quarantined = sum(r["records_in"] for r in rows), sum(r["quarantined"] for r in rows)
    out.print(
        f"\n{records:,} records came in: {figures['complaints']:,} contacts, "
        f"{records - quarantined - figures['complaints']:,} duplicates, {quarantined:,} quarantined."
    )
    found = warehouse().read("surges", arrow_schema(Surges)).to_pylist()
    planted = json.loads(truth.read_text())["outages"] if truth.exists() else []
    out.print(f"{len(found)} surges found; {len(planted)} outages were simulated:")
    for outage in planted:
        out.print(f"  simulated  {outage['start'][:16]}  {outage['category']} in {outage['region']}")
    for surge in sorted(found, key=lambda row: row["started_at"]):
        out.print(f"  {surge['severity']}  {surge['explanation']}", soft_wrap=True)
    out.print("\nWhere things are")
    for label, path in (
        ("raw lake", home.lake_url()),
        ("row tables", home.tables),
        ("warehouse", home.warehouse),
        ("marts", home.marts),
        ("reports", home.reports),
        ("alerts", home.alerts),
        ("truth", truth),
    ):
        out.print(f"  {label:<11}{path}", soft_wrap=True)


@app.command()
def ui() -> None:
    """Serve the Dagster UI on loopback with its daemon, on the first free port."""
    port = free_port(settings().port)
    out.print(f"\nThe UI is at http://127.0.0.1:{port} (stop with Ctrl-C)")
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-w",
        "workspace.yaml",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    raise typer.Exit(subprocess.call(command, cwd=REPOSITORY))


def free_port(first: int) -> int:
    """The first port from ``first`` on that nothing listens to.

    Raises:
        RuntimeError: twenty ports in a row are taken.
    """
    for port in range(first, min(first + 20, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"ports {first} to {first + 19} are taken; choose another with COMPLAINTS_PORT")
