"""``complaints simulate``: realistic traffic of all channels."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from complaint_assets.cli.common import AsJson, err, show

app = typer.Typer()


@app.command()
def simulate(
    folder: Annotated[Path, typer.Option("--to", help="Folder to write deliveries to, such as the inbox.")],
    deliveries: Annotated[int, typer.Option(min=1000, max=10_000_000)] = 20_000,
    days: Annotated[int, typer.Option(min=1, max=3660)] = 14,
    seed: int = 1,
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day; default: so that it ends now.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Where to write what was simulated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write realistic deliveries of six channels, with outages and every kind of dirt."""
    summary = simulate_traffic(folder, deliveries, days, seed, start, truth, quiet=as_json)
    show([summary], as_json, "Simulated")


def simulate_traffic(
    folder: Path,
    deliveries: int,
    days: int,
    seed: int,
    start: datetime | None,
    truth: Path | None,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Run the simulator with a progress bar."""
    from complaint_assets.simulator import simulate as write_traffic

    first = start.replace(tzinfo=UTC) if start else default_start(days)
    with Progress(console=err, disable=quiet) as progress:
        task = progress.add_task("simulate", total=deliveries)
        summary = write_traffic(
            folder,
            deliveries=deliveries,
            start=first,
            days=days,
            seed=seed,
            truth=truth or folder.parent / "truth.json",
            progress=lambda done: progress.update(task, completed=done),
        )
    return {"deliveries": summary.deliveries, "files": summary.files, "outages": len(summary.outages)}


def default_start(days: int) -> datetime:
    """The hour from which ``days`` of traffic end with the last whole hour."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=days)
