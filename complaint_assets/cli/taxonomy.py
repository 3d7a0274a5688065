"""``complaints taxonomy``: the rules that classify complaints."""

import typer

from complaint_assets.cli.common import AsJson, show
from resources.settings import settings

app = typer.Typer(no_args_is_help=True, help="The rules that classify complaints.")


@app.callback()
def taxonomy() -> None:
    """The rules that classify complaints."""


@app.command("check")
def taxonomy_check(as_json: AsJson = False) -> None:
    """Load and compile the rules; say what they hold."""
    from complaint_assets.taxonomy import load_rules

    rules = load_rules(settings().country)
    show([{"version": rules.version, **rules.figures()}], as_json, "Taxonomy")
