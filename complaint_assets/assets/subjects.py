"""Layer subjects: which subjects were declared together, and which customers that makes."""

import dagster as dg
import pandas as pd
import pyarrow as pa

from complaint_assets.assets.common import DAILY_FRESHNESS, OWNER, RETRIES, WAREHOUSE_POOL, table_metadata
from complaint_assets.assets.complaints import COMPLAINTS, complaints
from complaint_assets.logic.complaints.links_declared import DECLARED, declared_links, resolve
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.schemas.subjects import SubjectLinks, Subjects
from complaint_assets.schemas.types import arrow_schema, from_pandas, to_pandas
from resources.settings import settings
from resources.stores import Stores

LINKS = arrow_schema(SubjectLinks)


@dg.asset(
    deps=[complaints],
    group_name="subjects",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "pseudonymous"},
    code_version="1",
    metadata=table_metadata(SubjectLinks),
    retry_policy=RETRIES,
    freshness_policy=DAILY_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description="Pairs of subjects that customers declared together, with evidence, source and validity.",
)
def subject_links(stores: Stores) -> dg.MaterializeResult[pd.DataFrame]:
    """Gather the links that all complaints show."""
    declared = stores.tables.scan(
        "complaints", COMPLAINTS, columns=DECLARED, where=[("subject_refs", "longer than", 1)]
    )
    links = evaluate(declared_links, declared).select(LINKS.names).cast(LINKS)
    return dg.MaterializeResult(value=to_pandas(links), metadata={"dagster/row_count": links.num_rows})


@dg.asset(
    group_name="subjects",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "pseudonymous"},
    code_version="1",
    metadata=table_metadata(Subjects),
    retry_policy=RETRIES,
    freshness_policy=DAILY_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description=(
        "The customer of every linked subject. An identifier declared beside too many others links nobody. Facts "
        "keep their subjects; join this table to count customers."
    ),
)
def subjects(subject_links: pd.DataFrame) -> dg.MaterializeResult[pd.DataFrame]:
    """Resolve the links to customers."""
    found: pa.Table = resolve(from_pandas(subject_links, SubjectLinks), settings().link_most)
    frame = to_pandas(found)
    return dg.MaterializeResult(
        value=frame,
        metadata={
            "dagster/row_count": len(frame),
            "customers": int(frame["customer_id"].nunique()),
            "shared_identifiers": int(frame["is_shared"].sum()),
            "most_identifiers": int(frame["identifiers"].max()) if len(frame) else 0,
        },
    )
