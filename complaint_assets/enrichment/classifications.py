"""What complaints were classified as under rules that are active no more, beside what they are classified as now.

Before rows of one version of the rules are replaced by rows of another they are kept here, by version and event
date. Hence both questions can be asked, what was reported then and what a version makes of it, and going back to
former rules takes the kept rows instead of reading every text again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.logic.enriched.enrich import KEPT
from complaint_assets.logic.plan import Built
from complaint_assets.schemas.enriched import EnrichedComplaints
from complaint_assets.schemas.types import arrow_schema
from resources.failpoints import failpoint
from resources.tables import Filter, Tables, equals, in_dates, in_values

TABLE = "classifications"
ENRICHED = arrow_schema(EnrichedComplaints)
DECIDED = [field for field in ENRICHED if field.name not in {*KEPT, "masked_text"}]
"""What the rules decide of a complaint."""
SCHEMA = pa.schema(
    [
        ENRICHED.field("complaint_id"),
        ENRICHED.field("event_date"),
        *DECIDED,
        pa.field("inputs_digest", pa.string(), nullable=False),
        pa.field("is_reported", pa.bool_(), nullable=False),
    ]
)
"""``inputs_digest``: of what the partition was built from. ``is_reported``: no other version had it first."""
LABELLED = pa.schema([ENRICHED.field("complaint_id"), ENRICHED.field("event_date")])
TOLD = [
    *("complaint_id", "event_date", "contact_class", "domain", "category", "subcategory", "secondary_categories"),
    *("rule_ids", "severity", "taxonomy_version"),
]


def keep_superseded(tables: Tables, dates: Sequence[date], version: str, standing: Mapping[date, Built]) -> None:
    """Keep the rows of ``dates`` that other rules than ``version`` made, before they are replaced.

    Args:
        tables: the row tables.
        dates: the event dates about to be stored.
        version: of the rules that made what is about to be stored.
        standing: what is remembered of ``enriched_complaints``.
    """
    of_dates: list[Filter] = [("event_date", "in", list(dates))]
    versions = tables.scan("enriched_complaints", ENRICHED, columns=["taxonomy_version"], where=of_dates)
    for former in sorted(set(versions["taxonomy_version"].unique().to_pylist()) - {version}):
        where: list[Filter] = [*of_dates, ("taxonomy_version", "=", former)]
        columns = [name for name in SCHEMA.names if name in ENRICHED.names]
        rows = tables.scan("enriched_complaints", ENRICHED, columns=columns, where=where)
        elsewhere = _reported(tables, of_dates, except_for=former)
        digests = [standing[day].inputs if day in standing else "" for day in rows["event_date"].to_pylist()]
        rows = rows.append_column("inputs_digest", pa.array(digests, pa.string()))
        first = pc.invert(pc.is_in(rows["complaint_id"], value_set=elsewhere))
        _replace(tables, former, rows["event_date"].unique().to_pylist(), rows.append_column("is_reported", first))
    failpoint("classifications.kept")


def kept_under(tables: Tables, version: str, wanted: Mapping[date, str]) -> pa.Table:
    """The rows kept under ``version`` of the dates whose inputs are still as ``wanted`` says."""
    where: list[Filter] = [("taxonomy_version", "=", version), ("event_date", "in", list(wanted))]
    rows = tables.scan(TABLE, SCHEMA, where=where)
    same = [
        wanted[day] == digest
        for day, digest in zip(rows["event_date"].to_pylist(), rows["inputs_digest"].to_pylist(), strict=True)
    ]
    return rows.filter(pa.array(same, pa.bool_()))


def forget_gone(tables: Tables, dates: Sequence[date], present: pa.ChunkedArray) -> None:
    """Forget classifications and labels of complaints of ``dates`` no longer ``present``: erased, or moved."""
    labelled = tables.scan("labels", LABELLED, where=[("event_date", "in", list(dates))])
    gone = labelled.filter(pc.invert(pc.is_in(labelled["complaint_id"], value_set=present)))
    if gone.num_rows:
        tables.delete("labels", in_values("complaint_id", sorted(set(gone["complaint_id"].to_pylist()))))
    rows = tables.scan(TABLE, SCHEMA, where=[("event_date", "in", list(dates))])
    left = rows.filter(pc.is_in(rows["complaint_id"], value_set=present))
    if left.num_rows == rows.num_rows:
        return
    for version in rows["taxonomy_version"].unique().to_pylist():
        _replace(tables, version, dates, left.filter(pc.equal(left["taxonomy_version"], version)))


def classified(tables: Tables, version: str | None = None, where: Sequence[Filter] = ()) -> pa.Table:
    """Classifications as reported, or under ``version``.

    Args:
        tables: the row tables.
        version: of the rules; None = of each complaint the one under which it was first classified.
        where: filters on ``complaint_id`` and ``event_date``.

    Returns:
        The columns ``TOLD``, in order of event date and complaint. Under a version that never was active on a
        date, the date has no rows.
    """
    kept = tables.scan(TABLE, SCHEMA, where=where)
    now = tables.scan("enriched_complaints", ENRICHED, columns=TOLD, where=where)
    if version is None:
        kept = kept.filter(kept["is_reported"])
        now = now.filter(pc.invert(pc.is_in(now["complaint_id"], value_set=_ids(kept))))
    else:
        now = now.filter(pc.equal(now["taxonomy_version"], version))
        kept = kept.filter(pc.equal(kept["taxonomy_version"], version))
        kept = kept.filter(pc.invert(pc.is_in(kept["complaint_id"], value_set=_ids(now))))
    both = pa.concat_tables([now.select(TOLD), kept.select(TOLD)])
    return both.sort_by([("event_date", "ascending"), ("complaint_id", "ascending")])


def versions(tables: Tables) -> list[str]:
    """Versions of the rules of which classifications are there, in order."""
    found: set[str] = set()
    for name, schema in ((TABLE, SCHEMA), ("enriched_complaints", ENRICHED)):
        rows = tables.scan(name, schema, columns=["taxonomy_version"])
        found.update(rows["taxonomy_version"].unique().to_pylist())
    return sorted(found)


def _ids(rows: pa.Table) -> pa.Array:
    return rows["complaint_id"].combine_chunks()


def _reported(tables: Tables, where: Sequence[Filter], except_for: str) -> pa.Array:
    """Complaints that were first reported under another version than ``except_for``."""
    columns = ["complaint_id", "taxonomy_version", "is_reported"]
    rows = tables.scan(TABLE, SCHEMA, columns=columns, where=where)
    other = pc.not_equal(rows["taxonomy_version"], except_for)
    return _ids(rows.filter(pc.and_(rows["is_reported"], other)))


def _replace(tables: Tables, version: str, dates: Collection[date], rows: pa.Table) -> None:
    tables.replace(
        TABLE,
        rows,
        schema=SCHEMA,
        partition_by=["taxonomy_version", "event_date"],
        where=f"{equals('taxonomy_version', version)} AND {in_dates('event_date', dates)}",
        sort_by=["complaint_id"],
        statistics=["taxonomy_version", "event_date"],
    )
