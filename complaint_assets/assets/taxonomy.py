"""Layer taxonomy: what the rules do not know yet, and how far people agree with them."""

from datetime import timedelta

import dagster as dg
import pandas as pd
import pyarrow as pa

from complaint_assets.assets.common import DAILY_FRESHNESS, OWNER, RETRIES, WAREHOUSE_POOL, table_metadata
from complaint_assets.assets.enriched import ENRICHED, enriched_complaints
from complaint_assets.enrichment.classifications import classified
from complaint_assets.ledger import Ledger
from complaint_assets.logic.enriched.calibration import calibration as compared
from complaint_assets.logic.enriched.phrases import terms
from complaint_assets.logic.enriched.rules import OTHER
from complaint_assets.schemas.taxonomy import Calibration, EmergingTerms, Labels
from complaint_assets.schemas.types import arrow_schema, to_pandas
from complaint_assets.taxonomy import load_rules
from complaint_assets.taxonomy.active import history
from resources.settings import settings
from resources.stores import Stores
from resources.tables import Tables

LABELS = arrow_schema(Labels)
WEEK = timedelta(days=7)
WEEKS_BEFORE = 4
MOST_TERMS = 100


def emerging(stores: Stores) -> pa.Table:
    """The rows of ``EmergingTerms``: the week that ends with the newest slot against the four before."""
    schema = arrow_schema(EmergingTerms)
    as_of = Ledger(stores.tables).as_of()
    if as_of is None:
        return schema.empty_table()
    last = (as_of - timedelta(microseconds=1)).date()
    texts = stores.tables.scan(
        "enriched_complaints",
        ENRICHED,
        columns=["subject_id", "event_date", "contact_class", "category", "is_amplification", "masked_text"],
        where=[
            ("event_date", ">=", last - (WEEKS_BEFORE + 1) * WEEK + timedelta(days=1)),
            ("event_date", "<=", last),
            ("category", "=", OTHER),
        ],
    )
    inside: list[tuple[str, str]] = []
    before: list[tuple[str, str]] = []
    for row in texts.to_pylist():
        said = row["masked_text"]
        # Whoever is nobody known could be one person many times.
        if said and row["subject_id"] and not row["is_amplification"] and row["contact_class"] != "spam":
            (inside if row["event_date"] > last - WEEK else before).append((row["subject_id"], said))
    rows = [
        {
            "term": term.words,
            "subjects": term.people,
            "subjects_before": term.people_before,
            "score": term.score,
            "week_end": last,
        }
        for term in terms(inside, before)[:MOST_TERMS]
    ]
    return pa.Table.from_pylist(rows, schema=schema)


@dg.asset(
    deps=[enriched_complaints],
    group_name="taxonomy",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "none"},
    code_version="1",
    metadata=table_metadata(EmergingTerms),
    retry_policy=RETRIES,
    freshness_policy=DAILY_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description=(
        "Words and pairs of words that grow among complaints without a category: what the rules should learn. "
        "Each was used by at least five subjects."
    ),
)
def emerging_terms(stores: Stores) -> dg.MaterializeResult[pd.DataFrame]:
    """Compare the newest week with the four before."""
    rows = emerging(stores)
    return dg.MaterializeResult(value=to_pandas(rows), metadata={"dagster/row_count": rows.num_rows})


def categories(tables: Tables, version: str, ids: list[str]) -> dict[str, str]:
    """Category of the complaints ``ids`` under ``version``, where it classified them."""
    rows = classified(tables, version, [("complaint_id", "in", ids)])
    return dict(zip(rows["complaint_id"].to_pylist(), rows["category"].to_pylist(), strict=True))


@dg.asset(
    deps=[enriched_complaints],
    group_name="taxonomy",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "none"},
    code_version="1",
    metadata=table_metadata(Calibration),
    retry_policy=RETRIES,
    freshness_policy=DAILY_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description=(
        "How far the rules agree with people who labelled a sample: Cohen's kappa, per labeller and between them, "
        "and precision and recall per category."
    ),
)
def calibration(stores: Stores) -> dg.MaterializeResult[pd.DataFrame]:
    """Compare the labels with the active rules, and with those before."""
    home = settings()
    changes = history(home.taxonomy)
    version, former = load_rules(home.country, home.taxonomy).version, changes[-1].former if changes else ""
    labels = stores.tables.scan("labels", LABELS).to_pylist()
    ids = sorted({label["complaint_id"] for label in labels})
    rows = compared(
        [(label["complaint_id"], label["labeller"], label["category"]) for label in labels],
        categories(stores.tables, version, ids),
        categories(stores.tables, former, ids) if former else {},
        version,
        former,
    )
    figures: dict[str, float] = {"dagster/row_count": len(rows)}
    for row in rows:
        if row["scope"] == "rules":
            figures |= {name: row[name] for name in ("labels", "kappa", "agreement") if row[name] is not None}
        if row["scope"] == "category":
            figures |= {
                f"{name}_{row['name']}": row[name] for name in ("precision", "recall") if row[name] is not None
            }
    frame = to_pandas(pa.Table.from_pylist(rows, schema=arrow_schema(Calibration)))
    return dg.MaterializeResult(value=frame, metadata=figures)
