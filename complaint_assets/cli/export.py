"""``complaints export``: marts and regulators' tables as files that spreadsheets read."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, show, stores, warehouse
from complaint_assets.cli.kpi import AsOf
from resources.settings import settings

app = typer.Typer(no_args_is_help=True, help="Marts and regulators' tables as CSV or XLSX; no cell is a formula.")
ToFile = Annotated[Path, typer.Option(help="File to write: .csv or .xlsx.")]
First = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC).")]
Last = Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included.")]
MOST_ROWS = 1_000_000


def write(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Write ``rows`` in the format that the name of ``path`` tells, in one step.

    Raises:
        WrongUse: it is neither .csv nor .xlsx, or there are more rows than a workbook takes.
    """
    from complaint_assets.logic.marts.spreadsheet import to_csv, to_xlsx

    if len(rows) > MOST_ROWS:
        raise WrongUse(f"more than {MOST_ROWS} rows: read the Parquet files of the mart instead")
    if path.suffix == ".csv":
        content = to_csv(columns, rows).encode()
    elif path.suffix == ".xlsx":
        content = to_xlsx(columns, rows)
    else:
        raise WrongUse(f"{path}: give a name that ends with .csv or .xlsx")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)


@app.command()
def mart(
    role: Annotated[str, typer.Argument(help="Role whose mart is exported.")],
    table: Annotated[str, typer.Argument(help="Table of it.")],
    to_file: ToFile,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """A table of a role's mart, as published."""
    import pyarrow.parquet as pq

    from complaint_assets.roles import load_roles
    from resources.publish import mart_file

    try:
        tables = load_roles()[role].tables
        if table not in tables:
            raise WrongUse(f"the mart of {role} has no table {table}; it has {', '.join(tables)}")
        path = mart_file(settings().marts, role, as_of.date() if as_of else None)
    except (ValueError, FileNotFoundError) as error:
        raise WrongUse(str(error)) from None
    found = pq.read_table(path.with_name(f"{table}.parquet"))
    write(to_file, found.column_names, found.to_pylist())
    show([{"file": str(to_file), "rows": found.num_rows}], as_json)


@app.command()
def regulator(
    name: Annotated[str, typer.Argument(help="ncc, trai, acma or ofcom.")],
    first: First,
    last: Last,
    to_file: ToFile,
    as_json: AsJson = False,
) -> None:
    """A table in the shape of a regulator's form, of closed days; docs/regulators.md tells what it covers."""
    from complaint_assets.serving.answers import BadQuestion, regulator_answer

    try:
        columns, rows = regulator_answer(stores(), warehouse(), name, first.date(), last.date())
    except BadQuestion as error:
        raise WrongUse(str(error)) from None
    write(to_file, columns, rows)
    show(rows, as_json, f"{name}, {first:%Y-%m-%d} to {last:%Y-%m-%d}")
