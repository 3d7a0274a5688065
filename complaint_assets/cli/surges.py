"""``complaints surges``: what is surging; ``surges backtest``: how far to trust it."""

import json
from datetime import datetime
from typing import Annotated

import typer

from complaint_assets.cli.common import AsJson, WrongUse, out, show, warehouse

app = typer.Typer()
group = typer.Typer(invoke_without_command=True, help="Incidents: what is surging, since when, and how much.")
app.add_typer(group, name="surges")
CURVE = (4.75, 5.25, 5.75, 6.25, 6.75, 7.25, 8.0, 9.0)


@group.callback()
def surges(
    context: typer.Context,
    all_surges: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Incidents: what is surging, since when, and how much."""
    if context.invoked_subcommand:
        return
    from complaint_assets.schemas.surges import Surges
    from complaint_assets.schemas.types import arrow_schema

    rows = warehouse().read("surges", arrow_schema(Surges)).sort_by([("started_at", "descending")]).to_pylist()
    if not all_surges:
        rows = [row for row in rows if row["status"] == "open"]
    names = (
        "severity",
        "status",
        "category",
        "region",
        "channel",
        "started_at",
        "observed",
        "expected",
        "ratio",
    )
    brief = [{**{n: row[n] for n in names}, "explanation": row["explanation"]} for row in rows]
    for row in brief:
        row["expected"], row["ratio"] = round(row["expected"], 1), round(row["ratio"], 1)
        row["started_at"] = f"{row['started_at']:%Y-%m-%d %H:%M}"
    show(rows if as_json else brief, as_json, "Surges" if all_surges else "Open surges")


@group.command()
def backtest(
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC).")
    ] = None,
    until: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (UTC).")] = None,
    threshold: Annotated[float | None, typer.Option(help="Score that opens an incident.")] = None,
    seed: Annotated[int, typer.Option(help="Of the planted outages.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Replay measured days as they are and with planted outages: recall, delay, false incidents, the curve."""
    from complaint_assets.assets.surge_backtest import NothingToReplay, replayed

    if since and until and since > until:
        raise WrongUse("--from lies after --to: swap them")
    try:
        tested = replayed(
            warehouse(), since and since.date(), until and until.date(), threshold=threshold, seed=seed
        )
    except NothingToReplay as nothing:
        raise WrongUse(str(nothing)) from None
    if as_json:
        typer.echo(json.dumps({"sizes": tested.sizes, "curve": tested.curve(CURVE), **tested.figures}, indent=2))
        return
    show([{k: round(v, 2) for k, v in row.items()} for row in tested.sizes], False, "Planted outages (0 = all)")
    show([{k: round(v, 2) for k, v in row.items()} for row in tested.curve(CURVE)], False, "The curve")
    weeks, false = tested.figures["weeks"], tested.figures["incidents_a_week"]
    out.print(
        f"{weeks:.1f} weeks replayed; without planted outages {false:.2f} incidents a week, real ones included."
    )
