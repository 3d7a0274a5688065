"""``complaints taxonomy``: the rules that classify complaints."""

from pathlib import Path
from typing import Annotated

import typer

from complaint_assets.cli.common import AsJson, WrongUse, err, show
from resources.settings import settings

app = typer.Typer(no_args_is_help=True, help="The rules that classify complaints.")


@app.callback()
def taxonomy() -> None:
    """The rules that classify complaints."""


@app.command("check")
def taxonomy_check(
    folder: Annotated[
        Path | None, typer.Argument(help="Rule files to check; the active ones if not given.")
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="Texts, one a line: a rule that fires in none of them is dead.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List overlaps and redundant phrases one by one.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compile the rules, try them on their examples, and say what is wrong or doubtful about them.

    Exit code 1 if they cannot be used: a file cannot be read, a pattern would not run in linear time, or a rule
    does not do what its examples say.
    """
    from collections import Counter

    from complaint_assets.taxonomy import TaxonomyError, compile_rules, load_rules
    from complaint_assets.taxonomy.check import ERRORS, check

    if folder is not None and not folder.is_dir():
        raise WrongUse(f"{folder}: no folder; name one that holds taxonomy.yaml and the other rule files")
    try:
        lines = texts.read_text(encoding="utf-8").splitlines() if texts else ()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{texts}: cannot be read as UTF-8 text: {error}") from error
    try:
        country = settings().country
        rules = compile_rules(folder, country) if folder else load_rules(country, settings().taxonomy)
    except TaxonomyError as error:
        err.print(str(error), soft_wrap=True, highlight=False, markup=False)
        raise typer.Exit(1) from error
    findings = check(rules, lines)
    told = [finding for finding in findings if every or finding.kind not in ("overlap", "redundant")]
    figures = {"version": rules.version, **rules.figures(), **Counter(finding.kind for finding in findings)}
    if as_json:
        show([{**figures, "findings": [finding._asdict() for finding in told]}], as_json)
    else:
        show([{"what": name, "value": value} for name, value in figures.items()], as_json, "Taxonomy")
        if told:
            show([finding._asdict() for finding in told], as_json, "Findings")
    if any(finding.kind in ERRORS for finding in findings):
        raise typer.Exit(1)
