"""``complaints kpi``, ``sql`` and ``metrics``: numbers, by the one definition of each."""

import inspect
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, err, show, stores, warehouse
from resources.settings import settings

app = typer.Typer()
MOST_ROWS = 10_000


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


AsOf = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="As it stood at the end of that day.")]
DAYS = ["%Y-%m-%d"]


def question(
    metric: Annotated[str, typer.Argument(help="Metric; `complaints metrics` lists them.")],
    by: Annotated[
        str | None, typer.Option(help="Dimensions, separated by commas; default: the metric's own.")
    ] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=DAYS, help="First day; default: 7 days.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=DAYS, help="Last day, included.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="dimension=value, or dimension=value|value; repeatable.")
    ] = None,
    as_of: AsOf = None,
    role: Annotated[str, typer.Option(help="Role that asks; see roles.yaml.")] = "operations",
) -> Any:
    """The question that these options ask.

    Raises:
        WrongUse: a filter is no dimension=value.
    """
    from complaint_assets.ledger import Ledger
    from complaint_assets.serving.answers import Question

    filters = {}
    for one in where or ():
        name, equals, values = one.partition("=")
        if not equals or not values:
            raise WrongUse(f"--where {one}: write dimension=value, such as region=NG-LA")
        filters[name.strip()] = tuple(values.split("|"))
    end = last.date() if last else _today(Ledger(stores().tables).as_of())
    return Question(
        metric=metric,
        by=None if by is None else tuple(name.strip() for name in by.split(",") if name.strip()),
        first=first.date() if first else end - timedelta(days=6),
        last=end,
        filters=filters,
        as_of=as_of.date() if as_of else None,
        role=role,
    )


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the options of ``question``; what they ask reaches it as ``asked``."""
    shared = inspect.signature(question).parameters
    own = [one for one in inspect.signature(command).parameters.values() if one.name != "asked"]

    @wraps(command)
    def asking(**given: Any) -> None:
        asked = question(**{name: given.pop(name) for name in shared})
        command(asked=asked, **given)

    asking.__signature__ = inspect.Signature([*shared.values(), *own])  # type: ignore[attr-defined]
    return asking


def _today(as_of: datetime | None) -> date:
    """The day that the data reaches into."""
    return ((as_of or datetime.now(UTC)) - timedelta(microseconds=1)).date()


@app.command()
@asks
def kpi(
    asked: Any,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
    as_json: AsJson = False,
) -> None:
    """A number: by region, category, day ... and how far to trust it."""
    from complaint_assets.logic.marts.spreadsheet import to_csv
    from complaint_assets.serving.answers import BadQuestion, Denied, answer

    try:
        found = answer(stores(), warehouse(), asked)
    except (BadQuestion, Denied) as error:
        raise WrongUse(str(error)) from None
    about = found.about()
    if as_json or form is Format.json:
        typer.echo(json.dumps({**about, "rows": found.rows}, default=str, indent=2))
        return
    if form is Format.csv:
        columns = [*found.by, found.metric.name, *found.metric.beside]
        typer.echo(to_csv(columns, found.rows), nl=False)
    else:
        show(found.rows, False, f"{found.metric.name} ({found.metric.unit}), {found.first} to {found.last}")
    stale = "; STALE: a channel is overdue" if found.stale else ""
    hidden = f"; {found.withheld} cells of few people withheld" if found.withheld else ""
    err.print(
        f"data as of {about['data_as_of'] or 'never'}{stale}; rules {', '.join(found.rule_versions) or 'none'}"
        f"{hidden}. {found.metric.meaning}",
        soft_wrap=True,
        highlight=False,
    )
    if asked.filters and not found.rule_versions:  # no fact is such
        filters = " and ".join(f"{name}={'|'.join(values)}" for name, values in asked.filters.items())
        listing = f"complaints kpi {found.metric.name} --by {','.join(asked.filters)}"
        listing += f" --from {found.first} --to {found.last} --role {asked.role}"
        err.print(f"Nothing has {filters}; {listing} lists what there is.", soft_wrap=True, highlight=False)


@app.command("metrics")
def list_metrics(as_json: AsJson = False) -> None:
    """Every metric: what it means, its unit, and which direction is good."""
    from complaint_assets.metrics import load_metrics

    rows = [
        {"metric": m.name, "meaning": m.meaning, "unit": m.unit, "good": m.good, "owner": m.owner}
        for m in load_metrics().metrics.values()
    ]
    show(rows, as_json, "Metrics")


@app.command()
def sql(
    role: Annotated[str, typer.Argument(help="Role whose mart is read.")],
    query: Annotated[str, typer.Argument(help="SQL of DuckDB; SHOW TABLES lists what there is.")],
    as_of: AsOf = None,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="Rows shown at most.")] = MOST_ROWS,
    as_json: AsJson = False,
) -> None:
    """Ask a role's mart in SQL: read-only, and nothing else can be reached."""
    import duckdb

    from complaint_assets.roles import load_roles
    from resources.publish import mart_file, open_mart

    try:
        load_roles()[role]
        path = mart_file(settings().marts, role, as_of.date() if as_of else None)
    except (ValueError, FileNotFoundError) as error:
        raise WrongUse(str(error)) from None
    with open_mart(path) as mart:
        try:
            cursor = mart.execute(query)
            rows = cursor.fetchmany(most + 1)
        except duckdb.Error as error:
            raise WrongUse(f"{role}: {error}") from None
        names = [column[0] for column in cursor.description or ()]
    if len(rows) > most:
        err.print(f"only the first {most} rows are shown: --most, or a narrower question", highlight=False)
    show([dict(zip(names, row, strict=True)) for row in rows[:most]], as_json)
