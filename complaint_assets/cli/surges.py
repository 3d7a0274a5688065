"""``complaints surges``: what is surging."""

from typing import Annotated

import typer

from complaint_assets.cli.common import AsJson, show, warehouse

app = typer.Typer()


@app.command()
def surges(
    all_surges: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Incidents: what is surging, since when, and how much."""
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
