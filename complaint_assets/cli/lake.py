"""``complaints lake``: the raw lake itself."""

import json

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from complaint_assets.cli.common import AsJson, err, out
from resources.settings import settings

app = typer.Typer(no_args_is_help=True, help="The raw lake: the bytes as they came.")


@app.callback()
def lake() -> None:
    """The raw lake: the bytes as they came."""


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Hash every object again, name what is damaged, rebuild lost receipts and manifests.

    Exit code 1: bytes are damaged or missing. They must come from a backup, or from the source again.
    """
    from resources.lake_verify import verify as verify_lake

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=as_json) as shown:
        task = shown.add_task("hashing", total=None)
        found = verify_lake(
            settings().lake_url(), lambda done, total: shown.update(task, completed=done, total=total)
        )
    if as_json:
        typer.echo(json.dumps(vars(found), indent=2))
    else:
        for kind, keys in (("damaged", found.damaged), ("rebuilt", found.rebuilt)):
            for key in keys:
                out.print(f"{kind}: {key}", soft_wrap=True, highlight=False, markup=False)
        out.print(
            f"{found.objects} objects, {found.bytes} bytes: {len(found.damaged)} damaged, "
            f"{len(found.rebuilt)} records rebuilt"
        )
    if found.damaged:
        raise typer.Exit(1)
