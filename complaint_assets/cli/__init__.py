"""``complaints``: what people do at the keyboard. Exit codes: 0 done, 1 the work failed, 2 wrong use.

A module per group of commands, each with a Typer ``app`` of its own.
"""

import os
import sys
from pathlib import Path

import typer
from rich.markup import escape

from complaint_assets.cli import (
    alerts,
    api,
    audit,
    customers,
    demo,
    erase,
    explain,
    export,
    keys,
    kpi,
    labels,
    lake,
    land,
    quarantine,
    receive,
    retention,
    run,
    sample,
    send,
    show,
    simulate,
    status,
    surges,
    taxonomy,
    taxonomy_changes,
    vocabulary,
)
from complaint_assets.cli.common import WrongUse, err
from resources.settings import REPOSITORY, settings
from resources.yaml_file import UnfitFile

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turn customer contact into one complaints table and early warnings.",
)
for commands in (
    land,
    send,
    receive,
    run,
    status,
    show,
    surges,
    simulate,
    demo,
    erase,
    sample,
    vocabulary,
    kpi,
    explain,
    api,
):
    app.add_typer(commands.app)
app.add_typer(export.app, name="export")
app.add_typer(lake.app, name="lake")
app.add_typer(send.queue_app, name="queue")
app.add_typer(quarantine.app, name="quarantine")
taxonomy.app.add_typer(taxonomy_changes.app)
taxonomy.app.add_typer(labels.app)
app.add_typer(taxonomy.app, name="taxonomy")
app.add_typer(keys.app, name="keys")
app.add_typer(customers.app, name="customers")
app.add_typer(alerts.app, name="alerts")
app.add_typer(audit.app, name="audit")
app.add_typer(retention.app, name="retention")


def prepare_environment() -> None:
    """Point Dagster at this home, as the Makefile does."""
    home = settings().home
    os.environ.setdefault("DAGSTER_HOME", str(REPOSITORY))
    os.environ.setdefault("COMPLAINTS_DAGSTER_STATE", str(home / "dagster"))
    os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
    Path(os.environ["COMPLAINTS_DAGSTER_STATE"]).mkdir(parents=True, exist_ok=True)


def main() -> None:
    """Entry point: errors are one line that says what, where and what to do."""
    prepare_environment()
    code: int | str | None = 0
    try:
        app()
    except SystemExit as end:
        code = end.code
    except (WrongUse, UnfitFile) as error:
        err.print(f"[bold]complaints:[/bold] {escape(str(error))}", soft_wrap=True, highlight=False)
        code = 2
    except (RuntimeError, OSError) as error:
        err.print(f"[bold]complaints:[/bold] {escape(str(error))}", soft_wrap=True, highlight=False)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Without the interpreter's farewell: native threads of the storage libraries can abort the process in it.
    os._exit(code if isinstance(code, int) else int(bool(code)))
