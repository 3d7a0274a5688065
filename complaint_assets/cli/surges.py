"""``complaints surges``: what is surging and who sees to it; ``surges backtest``: how far to trust it."""

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, out, show, warehouse

app = typer.Typer()
group = typer.Typer(invoke_without_command=True, help="Incidents: what is surging, since when, and how much.")
app.add_typer(group, name="surges")
SurgeId = Annotated[str, typer.Argument(help="Id of the surge; its first characters are enough.")]
By = Annotated[str | None, typer.Option("--by", help="Who does it; you unless said.")]
SHORT = 8
"""Characters of an id that a person has to type."""
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
    rows = known_surges()
    if not all_surges:
        rows = [row for row in rows if row["status"] == "open"]
    names = (
        "surge_id",
        "severity",
        "status",
        "category",
        "region",
        "channel",
        "started_at",
        "observed",
        "expected",
        "ratio",
        "owner",
    )
    brief = [{**{n: row[n] for n in names}, "explanation": row["explanation"]} for row in rows]
    for row, whole in zip(brief, rows, strict=True):
        row["owner"] = whole["owner"] or whole["acknowledged_by"]
    for row in brief:
        row["surge_id"] = row["surge_id"][:SHORT]
        row["expected"], row["ratio"] = round(row["expected"], 1), round(row["ratio"], 1)
        row["started_at"] = f"{row['started_at']:%Y-%m-%d %H:%M}"
    show(rows if as_json else brief, as_json, "Surges" if all_surges else "Open surges")
    if not (rows or all_surges or as_json):
        out.print("what has ended: complaints surges --all")


def known_surges() -> list[dict[str, Any]]:
    """The surges of the warehouse, newest first, each with what the ledger says of it."""
    from complaint_assets.schemas.surges import Surges
    from complaint_assets.schemas.types import arrow_schema
    from complaint_assets.surges.ledger import Care, surge_ledger

    rows = warehouse().read("surges", arrow_schema(Surges)).sort_by([("started_at", "descending")]).to_pylist()
    care = surge_ledger().care()
    return [{**row, **vars(care.get(row["surge_id"], Care()))} for row in rows]


def the_surge(surge_id: str) -> dict[str, Any]:
    """The surge that ``surge_id``, or the begin of it, names.

    Raises:
        WrongUse: none, or more than one.
    """
    found = [row for row in known_surges() if row["surge_id"].startswith(surge_id)]
    if len(found) != 1:
        which = "names no surge" if not found else f"names {len(found)} surges: give more characters"
        raise WrongUse(f"{surge_id} {which}. They are listed by: complaints surges --all")
    return found[0]


def record(action: str, surge_id: str, by: str | None, text: str, as_json: bool) -> None:
    """Append to the ledger and show how the surge stands."""
    from complaint_assets.surges.ledger import UnfitNote, surge_ledger

    whole = the_surge(surge_id)["surge_id"]
    try:
        surge_ledger().add(datetime.now(UTC), action, whole, by or getpass.getuser(), text)
    except UnfitNote as unfit:
        raise WrongUse(str(unfit)) from None
    row = the_surge(whole)
    names = ("surge_id", "status", "severity", "owner", "acknowledged_by", "acknowledged_at")
    show([{**{name: row[name] for name in names}, "notes": len(row["notes"])}], as_json, "Surge")


@group.command()
def ack(surge_id: SurgeId, by: By = None, as_json: AsJson = False) -> None:
    """Acknowledge a surge: it goes to no second route any more."""
    record("ack", surge_id, by, "", as_json)


@group.command()
def assign(
    surge_id: SurgeId,
    owner: Annotated[str, typer.Argument(help="Person or team who sees to it.")],
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Give a surge an owner; it counts as acknowledged."""
    record("assign", surge_id, by, owner, as_json)


@group.command()
def note(
    surge_id: SurgeId,
    text: Annotated[str, typer.Argument(help="What is known; no names or numbers of customers.")],
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Note something about a surge."""
    record("note", surge_id, by, text, as_json)


@group.command("show")
def show_surge(surge_id: SurgeId, as_json: AsJson = False) -> None:
    """Everything about one surge: figures, what happened to it, who sees to it."""
    row = the_surge(surge_id)
    if as_json:
        show([row], True)
        return
    history, notes = json.loads(row.pop("history")), row.pop("notes")
    show([{"what": name, "value": value} for name, value in row.items()], False, "Surge")
    show(history, False, "What happened to it")
    show(notes, False, "Notes")


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
