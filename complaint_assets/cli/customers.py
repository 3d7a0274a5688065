"""``complaints customers``: how many customers the subjects are, and which subjects may be one."""

from typing import Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, show, stores, warehouse
from resources.settings import settings

app = typer.Typer(no_args_is_help=True, help="How many customers there are, and which subjects may be one.")

TABLE = "probable_links"


@app.command("count")
def count(as_json: AsJson = False) -> None:
    """Subjects with links, and the customers that they are: by declared links, and by probable ones as a range."""
    import pyarrow as pa

    from complaint_assets.logic.complaints.links_declared import resolve
    from complaint_assets.logic.complaints.links_probable import as_links
    from complaint_assets.schemas.subjects import SubjectLinks
    from complaint_assets.schemas.types import arrow_schema

    declared = warehouse().read("subject_links", arrow_schema(SubjectLinks))
    probable = probable_pairs(stores().tables)
    subjects = {*declared["left"].to_pylist(), *declared["right"].to_pylist()}
    subjects |= {*probable["left"].to_pylist(), *probable["right"].to_pylist()}
    row: dict[str, Any] = {"subjects_with_links": len(subjects)}
    for name, bands in (("declared", ()), ("and_strong", ("strong",)), ("and_fair", ("strong", "fair"))):
        links = pa.concat_tables([declared, as_links(probable, bands)])
        found = resolve(links, settings().link_most)
        row[f"customers_{name}"] = len(subjects) - found.num_rows + len(set(found["customer_id"].to_pylist()))
    show([row], as_json, "Customers")


@app.command("suggest")
def suggest(as_json: AsJson = False) -> None:
    """Weigh which subjects may be one customer, by the names in their addresses and handles, and keep the pairs.

    Needs COMPLAINTS_LINK_PROBABLE=true, which says that there is a legal basis, and the extra splink. The names
    are read from the vault, compared in this process and kept nowhere.
    """
    import importlib.util

    if not settings().link_probable:
        raise WrongUse(
            "probable links are off: set COMPLAINTS_LINK_PROBABLE=true where law and consent allow them"
        )
    if importlib.util.find_spec("splink") is None:
        raise WrongUse("probable links need the extra splink: python -m pip install 'complaint-assets[splink]'")
    import pyarrow as pa

    from complaint_assets.logic.complaints.links_probable import name_of, probable_links
    from complaint_assets.schemas.subjects import Subjects
    from complaint_assets.schemas.types import arrow_schema
    from complaint_assets.schemas.warehouse import ComplaintFacts

    home, store = stores(), warehouse()
    facts = arrow_schema(ComplaintFacts)
    with store.session() as connection:
        table = store.ibis_table(connection, "complaint_facts", facts)
        known = table.filter(table.subject_id.notnull(), table.region != "unknown")
        places = known.group_by("subject_id").agg(region=known.region.min()).to_pyarrow().to_pylist()
    region = {row["subject_id"]: row["region"] for row in places}
    customer = {
        row["subject_id"]: row["customer_id"] for row in store.read("subjects", arrow_schema(Subjects)).to_pylist()
    }
    people = [
        {"subject_id": subject, "name": name, "region": region.get(subject)}
        for subject, (kind, value) in home.vault.identifiers()
        if (name := name_of(kind, value))
    ]
    columns = pa.schema({"subject_id": pa.string(), "name": pa.string(), "region": pa.string()})
    found = probable_links(pa.Table.from_pylist(people, schema=columns))
    # What customers declared themselves needs no guess.
    new = [
        customer.get(left, left) != customer.get(right, right)
        for left, right in zip(found["left"].to_pylist(), found["right"].to_pylist(), strict=True)
    ]
    kept = found.filter(pa.array(new, pa.bool_()))
    store_links(home.tables, kept)
    bands = kept["band"].to_pylist()
    show([{"band": band, "pairs": bands.count(band)} for band in sorted(set(bands))], as_json, "Probable links")


def probable_pairs(tables: Any) -> Any:
    """The pairs as they are stored."""
    from complaint_assets.schemas.subjects import ProbableLinks
    from complaint_assets.schemas.types import arrow_schema

    return tables.scan(TABLE, arrow_schema(ProbableLinks))


def store_links(tables: Any, pairs: Any) -> None:
    """Keep ``pairs`` and no others."""
    tables.replace(
        TABLE,
        pairs,
        schema=pairs.schema,
        partition_by=["band"],
        where=None,
        sort_by=["left", "right"],
        statistics=["band"],
    )
