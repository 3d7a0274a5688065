"""Enrichment: one pure function from complaints to complaints with meaning.

Texts are read once each, however many people wrote them; what the record around a text says (rating, the
source's own label, place) is weighed row by row.
"""

import json
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.enriched import EnrichedComplaints
from complaint_assets.schemas.types import arrow_schema

from . import place
from .classify import contact_class, label_of, topic
from .language import language
from .rules import Hit, Rules, fold, scan
from .sentiment import sentiment
from .severity import severity

BATCH = 20_000
"""Rows whose hits are held at once."""
KEPT = (
    "complaint_id",
    "channel",
    "source",
    "event_date",
    "occurred_at",
    "first_received_at",
    "deliveries",
    "subject_id",
    "content_cluster",
    "is_amplification",
    "rating",
    "resolution_status",
    "resolved_at",
)
READ = ("text", "rating", "declared_class", "source_category", "place", "latitude", "longitude")


@cache
def _schemas() -> tuple[pa.Schema, pa.Schema]:
    return arrow_schema(Complaints), arrow_schema(EnrichedComplaints)


class Reading(NamedTuple):
    """What a text says by itself."""

    hits: list[Hit]
    language: str
    sentiment: float | None
    gap: str | None
    region: place.Found


def enrich(batch: pa.Table, rules: Rules) -> pa.Table:
    """``batch`` (``Complaints``) as ``EnrichedComplaints``, row by row in the same order.

    ``repeat_of`` is null: what a complaint repeats is not in its own row. The result for a row depends on
    that row and ``rules`` alone, so batches may be cut anywhere.
    """
    parts = [_enrich(batch.slice(start, BATCH), rules) for start in range(0, batch.num_rows, BATCH)]
    return pa.concat_tables(parts) if parts else _schemas()[1].empty_table()


def _enrich(batch: pa.Table, rules: Rules) -> pa.Table:
    encoded = batch["text"].combine_chunks().dictionary_encode()
    readings = _read(encoded.dictionary, rules)
    towns = place.gazetteer(rules.places)
    labels = {value: label_of(rules.labels, value) for value in pc.unique(batch["source_category"]).to_pylist()}
    nothing = Reading([], language(None, rules), *sentiment(None, ""), place.NOWHERE)
    rows = []
    for row, index in zip(batch.select(READ).to_pylist(), encoded.indices.to_pylist(), strict=True):
        reading = nothing if index is None else readings[index]
        rows.append(_row(row, reading, labels[row["source_category"]], towns, rules))
    found = pa.Table.from_pylist(rows, schema=_FOUND) if rows else _FOUND.empty_table()
    columns = {name: batch[name] for name in KEPT} | {"masked_text": batch["text"]}
    columns |= {name: found[name] for name in found.column_names}
    columns["repeat_of"] = pa.nulls(batch.num_rows, pa.string())
    columns["taxonomy_version"] = pa.repeat(rules.version, batch.num_rows)
    schema = _schemas()[1]
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


def _read(texts: pa.Array, rules: Rules) -> list[Reading]:
    """One reading per text."""
    groups = [
        *(category.rules for category in rules.categories.values()),
        *rules.classes.values(),
        rules.severity.cues,
    ]
    towns = place.gazetteer(rules.places)
    readings = []
    for text, hits in zip(texts.to_pylist(), scan(fold(texts), groups), strict=True):
        spoken = language(text, rules)
        readings.append(Reading(hits, spoken, *sentiment(text, spoken), place.mentioned(text, towns)))
    return readings


def _row(
    row: dict[str, Any], reading: Reading, labels: tuple[Any, Any], towns: place.Gazetteer, rules: Rules
) -> dict[str, Any]:
    about = topic(reading.hits, labels[0], rules)
    kind = contact_class(
        reading.hits,
        about,
        rules,
        declared=row["declared_class"],
        label=labels[1],
        rating=row["rating"],
        sentiment=reading.sentiment,
    )
    grade, reasons = severity(
        about.category, kind, reading.hits, rules, sentiment=reading.sentiment, rating=row["rating"]
    )
    where = place.at(row["latitude"], row["longitude"], towns)
    if where.region is None:
        where = place.declared(row["place"], towns)
    if where.region is None:
        where = reading.region
    fired = {hit.rule.id for hit in reading.hits} | {label.id for label in labels if label}
    return {
        "contact_class": kind,
        "domain": rules.categories[about.category].domain,
        "category": about.category,
        "subcategory": about.subcategory,
        "secondary_categories": about.secondary,
        "rule_ids": sorted(fired),
        "evidence": json.dumps(
            [
                {"rule": rule, "start": start, "end": end}
                for start, end, rule in sorted((hit.start, hit.end, hit.rule.id) for hit in reading.hits)
            ],
            separators=(",", ":"),
        ),
        "sentiment": reading.sentiment,
        "sentiment_gap": reading.gap,
        "severity": grade,
        "severity_reasons": reasons,
        "language": reading.language,
        "region": where.region,
        "region_method": where.method,
        "region_confidence": where.confidence,
    }


_FOUND = pa.schema(
    [field for field in _schemas()[1] if field.name not in {*KEPT, "masked_text", "repeat_of", "taxonomy_version"}]
)
