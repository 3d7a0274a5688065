"""``complaints taxonomy try|apply|rollback|history``: how the rules change."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from complaint_assets.cli.common import AsJson, WrongUse, err, out, show, stores
from resources.settings import settings

app = typer.Typer()

Folder = Annotated[Path, typer.Argument(help="Rule files; start from a copy of complaint_assets/taxonomy.")]
Author = Annotated[str, typer.Option(help="Who answers for it.")]
Reason = Annotated[str, typer.Option(help="Why.")]
SHOWN = 15
"""Most moves shown of one kind; --json has all."""


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise WrongUse(f"{folder}: no folder; name one that holds taxonomy.yaml and the other rule files")
    return folder


def _named(author: str, reason: str) -> None:
    if not author.strip() or not reason.strip():
        raise WrongUse("--author and --reason: say who answers for the change, and why")


@app.command("try")
def taxonomy_try(
    folder: Folder,
    sample: Annotated[int | None, typer.Option(min=1, help="So many complaints, drawn by lot; else all.")] = None,
    from_date: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="From this event date on.")
    ] = None,
    to_date: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Up to this event date, included.")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, max=20, help="Masked examples per move.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Classify history under the active rules and under those in FOLDER: who moves from where to where.

    Nothing changes. The digest printed last confirms that these rules with this effect are to be applied.
    """
    from complaint_assets.cli.sample import strict_mask
    from complaint_assets.enrichment.changes import attempt
    from complaint_assets.taxonomy import TaxonomyError

    home = stores()
    with Progress(console=err, disable=as_json) as progress:
        task = progress.add_task("classify", total=None)
        try:
            found = attempt(
                home.tables,
                _checked(folder),
                sample=sample,
                between=(from_date.date() if from_date else None, to_date.date() if to_date else None),
                examples=examples,
                mask=strict_mask(),
                heard=lambda count: progress.advance(task, count),
            )
        except TaxonomyError as error:
            raise RuntimeError(str(error)) from error
    if as_json:
        show([found], as_json)
        return
    out.print(f"{found['active']} -> {found['new']}: {found['moved']} of {found['complaints']} complaints move")
    for aspect in ("category", "contact_class", "severity"):
        show([_line(move) for move in found[aspect][:SHOWN]], False, aspect.replace("_", " ").capitalize())
    told = [
        {"from": move["from"], "to": move["to"], "text": text}
        for move in found["examples"]
        for text in move["examples"]
    ]
    show(told, False, "Examples, masked")
    out.print(f"To apply: complaints taxonomy apply {folder} --confirm {found['confirm']} --author .. --reason ..")


def _line(move: dict[str, Any]) -> dict[str, Any]:
    return {**move, "channels": ", ".join(f"{channel} {count}" for channel, count in move["channels"].items())}


@app.command("apply")
def taxonomy_apply(
    folder: Folder,
    confirm: Annotated[str, typer.Option(help="The digest that complaints taxonomy try has printed.")],
    author: Author,
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Make the rules in FOLDER the active ones; event dates that others have classified become pending."""
    from complaint_assets.enrichment.changes import apply
    from complaint_assets.taxonomy import TaxonomyError

    _named(author, reason)
    try:
        change = apply(_checked(folder), confirm, author, reason)
    except TaxonomyError as error:
        raise RuntimeError(str(error)) from error
    _tell(change, as_json)


@app.command("rollback")
def taxonomy_rollback(author: Author, reason: Reason, as_json: AsJson = False) -> None:
    """Make the former rules active again; what they had classified is taken from where it was kept."""
    from complaint_assets.enrichment.changes import rollback
    from complaint_assets.taxonomy import TaxonomyError

    _named(author, reason)
    try:
        change = rollback(author, reason)
    except TaxonomyError as error:
        raise RuntimeError(str(error)) from error
    _tell(change, as_json)


def _tell(change: Any, as_json: bool) -> None:
    from complaint_assets.ledger import Ledger

    pending = len(Ledger(stores().tables).pending_dates().chain)
    show([{**change._asdict(), "event_dates_pending": pending}], as_json, "Active rules")
    if not as_json:
        out.print("The daemon rebuilds them at its next look; without it: complaints run")


@app.command("history")
def taxonomy_history(
    complaint: Annotated[
        str | None, typer.Argument(help="Id of a complaint: what it was and is classified as.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the changes of the rules; of a complaint, its classification as reported and under every version."""
    from complaint_assets.enrichment.classifications import classified, versions
    from complaint_assets.taxonomy.active import history

    if complaint is None:
        show([change._asdict() for change in history(settings().taxonomy)], as_json, "Changes of the rules")
        return
    tables, where = stores().tables, [("complaint_id", "=", complaint)]
    rows = [{"asked": "as reported", **row} for row in classified(tables, None, where).to_pylist()]
    for version in versions(tables):
        rows += [{"asked": "under this version", **row} for row in classified(tables, version, where).to_pylist()]
    if not rows:
        raise WrongUse(f"there is no complaint {complaint}")
    show(rows, as_json, "Classifications")
