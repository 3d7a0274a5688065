"""``complaints explain``: from a number to the complaints behind it, and to where their bytes lie."""

import json
from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, err, show, stores, warehouse
from complaint_assets.cli.kpi import asks
from complaint_assets.cli.show import PLACE, print_original, raw_object

app = typer.Typer()


@app.command()
@asks
def explain(
    asked: Any,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the original bytes; they hold personal data. Roles that may only.")
    ] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="Complaints shown at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Which complaints make up a number, and in which raw object, at which offset, each delivery of them lies."""
    from complaint_assets.assets.standardised import STANDARDISED
    from complaint_assets.serving.answers import BadQuestion, Denied, behind

    home = stores()
    try:
        found = behind(home, warehouse(), asked, most, raw=raw)
    except (BadQuestion, Denied) as error:
        raise WrongUse(str(error)) from None
    ids = [row["complaint_id"] for row in found.complaints]
    columns = ["complaint_id", "channel", "object_sha256", *PLACE]
    condition = [("complaint_id", "in", ids)]
    deliveries = (
        home.tables.scan("standardised", STANDARDISED, columns=columns, where=condition).to_pylist() if ids else []
    )
    deliveries.sort(key=lambda row: (row["complaint_id"], row["received_at"], row["delivery_id"]))
    if raw:
        for row in deliveries:
            print_original(row, row["delivery_id"])
        return
    places: list[dict[str, Any]] = [
        {
            "complaint_id": row["complaint_id"],
            "delivery_id": row["delivery_id"],
            "object": raw_object(row).key,
            "byte_offset": row["byte_offset"],
            "byte_length": row["byte_length"],
        }
        for row in deliveries
    ]
    if as_json:
        told = {"metric": asked.metric, "total": found.total, "complaints": found.complaints, "deliveries": places}
        typer.echo(json.dumps(told, default=str, indent=2))
        return
    show(found.complaints, False, f"{asked.metric}: {len(ids)} of {found.total} complaints")
    show(places, False, "Where they lie in the raw lake")
    err.print("original bytes: --raw --role privacy; one complaint: complaints show ID", highlight=False)
