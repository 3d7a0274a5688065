"""What the commands share: printing, errors, the stores of this home."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from resources.settings import settings

out = Console(width=None if sys.stdout.isatty() else 150)
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class WrongUse(Exception):
    """The command was asked for something that cannot be: exit code 2."""


def show(rows: list[dict[str, Any]], as_json: bool, title: str = "") -> None:
    """Print ``rows`` as a table, or as JSON."""
    if as_json:
        typer.echo(json.dumps(rows, default=str, indent=2))
        return
    if not rows:
        out.print(f"{title}: none" if title else "none")
        return
    table = Table(title=title or None, title_justify="left")
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)


def known_contract(channel: str, source: str) -> Any:
    """The contract of ``channel`` and ``source``.

    Raises:
        WrongUse: there is none.
    """
    from complaint_assets.contracts import load_contracts

    contracts = load_contracts(settings().contract_folders())
    if (channel, source) not in contracts:
        known = ", ".join(sorted(f"{c}/{s}" for c, s in contracts))
        raise WrongUse(f"{channel}/{source} has no contract. Known: {known}. More folders: COMPLAINTS_CONTRACTS.")
    return contracts[channel, source]


def stores() -> Any:
    """The stores of this home."""
    from complaint_assets.definitions import default_resources

    return default_resources(settings())["stores"]


def warehouse() -> Any:
    """The warehouse of this home, if its lake is of this environment."""
    from complaint_assets.definitions import default_resources

    resources = default_resources(settings())
    _ = resources["stores"].lake
    return resources["warehouse"]
