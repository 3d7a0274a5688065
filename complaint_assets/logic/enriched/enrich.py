"""Enrichment: one pure function from complaints to complaints with meaning.

Texts are read once each, however many people wrote them; what the record around a text says (rating, the
source's own label, place) is weighed row by row, and rows of which the same is known get the same verdict.
"""

import sys
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.schemas.enriched import EnrichedComplaints
from complaint_assets.schemas.types import arrow_schema

from . import place
from .classify import CONTENT, DISSATISFIED, contact_class, label_of, topic
from .language import UNDETERMINED, languages
from .matcher import fold, matcher
from .rules import Hit, Label, Rule, Rules
from .sentiment import SUPPORTED, compound
from .severity import REPEAT, grade, severity

BATCH = 20_000
"""Rows whose hits are held at once."""
WORTH_COMPILING = 20_000
"""Rows from which compiled passes repay their start-up; below it the same is worked out without them."""
_STARTED = "complaint_assets.logic.enriched.sentiment_kernel"
"""Where this module is loaded already, start-up is paid, and every batch takes the compiled passes."""
REMEMBERED = 50_000
"""Verdicts that are remembered before memory is given back."""
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
READ = ("channel", "text", "rating", "declared_class", "source_category", "place", "latitude", "longitude")
"""What the answer for a row depends on, beside the rules."""
_MADE_ELSEWHERE = ("masked_text", "repeat_of", "taxonomy_version")


@cache
def _schema() -> pa.Schema:
    return arrow_schema(EnrichedComplaints)


class Reading(NamedTuple):
    """What a text says by itself; ``fired`` in the order of ``Rules.every``."""

    fired: tuple[Rule, ...]
    evidence: str
    conditional: tuple[Hit, ...]
    """Every hit, where a rule among them counts in some channels only."""
    language: str
    sentiment: float | None
    gap: str | None
    region: place.Found


_SILENT = Reading((), "[]", (), UNDETERMINED, None, "no_text", place.NOWHERE)


class Verdict(NamedTuple):
    """What a complaint is, of which a reading and the record around it are known."""

    contact_class: str
    domain: str
    category: str
    subcategory: str
    secondary: list[str]
    rule_ids: list[str]
    severity: int
    reasons: list[str]


def enrich(batch: pa.Table, rules: Rules) -> pa.Table:
    """``batch`` (``Complaints``) as ``EnrichedComplaints``, row by row in the same order.

    ``repeat_of`` is null: what a complaint repeats is not in its own row (see ``with_repeats``). The result for a
    row depends on that row and ``rules`` alone, so batches may be cut anywhere.
    """
    return assemble(batch, read(batch.select(READ), rules), rules)


def assemble(batch: pa.Table, found: pa.Table, rules: Rules) -> pa.Table:
    """``EnrichedComplaints`` from complaints and what ``read`` found in them, now or earlier."""
    columns = {name: batch[name] for name in KEPT} | {"masked_text": batch["text"]}
    columns["repeat_of"] = pa.nulls(batch.num_rows, pa.string())
    columns["taxonomy_version"] = pa.repeat(rules.version, batch.num_rows)
    columns |= {name: found[name] for name in found.column_names}
    return pa.table([columns[name] for name in _schema().names], names=_schema().names).cast(_schema())


def read(batch: pa.Table, rules: Rules) -> pa.Table:
    """What the columns ``READ`` of complaints tell, in the same order: the columns that the enrichment adds."""
    compiled = batch.num_rows >= WORTH_COMPILING or _STARTED in sys.modules
    parts = [_read(batch.slice(start, BATCH), rules, compiled) for start in range(0, batch.num_rows, BATCH)]
    return pa.concat_tables(parts) if parts else _found().empty_table()


@cache
def _found() -> pa.Schema:
    return pa.schema([field for field in _schema() if field.name not in {*KEPT, *_MADE_ELSEWHERE}])


def _read(batch: pa.Table, rules: Rules, compiled: bool) -> pa.Table:
    encoded = batch["text"].combine_chunks().dictionary_encode()
    readings = _readings(encoded.dictionary, rules, compiled)
    towns = place.gazetteer(rules.places)
    labels = {value: label_of(rules.labels, value) for value in pc.unique(batch["source_category"]).to_pylist()}
    declared = {value: place.declared(value, towns) for value in pc.unique(batch["place"]).to_pylist()}
    limits = _limits(rules)
    verdicts = _verdicts(rules)
    if len(verdicts) > REMEMBERED:
        verdicts.clear()
    judged, said, regions = [], [], []
    for channel, index, rating, kind, label, named, located in zip(
        batch["channel"].to_pylist(),
        encoded.indices.to_pylist(),
        batch["rating"].to_pylist(),
        batch["declared_class"].to_pylist(),
        batch["source_category"].to_pylist(),
        batch["place"].to_pylist(),
        place.at(batch["latitude"], batch["longitude"], towns),
        strict=True,
    ):
        reading = _SILENT if index is None else readings[index]
        if reading.conditional:
            reading = _in_channel(reading, channel)
        mood = reading.sentiment
        # Within a band no threshold is crossed, so one verdict serves all.
        band = None if mood is None else (bisect_left(limits, mood), mood >= CONTENT)
        key = (reading.fired, label, kind, rating, band)
        verdict = verdicts.get(key)
        if verdict is None:
            verdict = verdicts[key] = _verdict(reading, labels[label], kind, rating, rules)
        judged.append(verdict)
        said.append(reading)
        where = located if located.region else declared[named]
        regions.append(where if where.region else reading.region)
    columns = _columns(judged, Verdict) | _columns(said, Reading) | _columns(regions, place.Found)
    names = {
        "secondary_categories": "secondary",
        "sentiment_gap": "gap",
        "severity_reasons": "reasons",
        "region_method": "method",
        "region_confidence": "confidence",
    }
    return pa.table(
        [pa.array(columns[names.get(field.name, field.name)], field.type) for field in _found()], schema=_found()
    )


def _readings(texts: pa.Array, rules: Rules, compiled: bool) -> list[Reading]:
    """One reading per text (no nulls)."""
    folded = fold(texts)
    spoken = languages(texts, rules, compiled=compiled).to_pylist()
    supported = pa.array([language in SUPPORTED for language in spoken], pa.bool_())
    scores = compound(pc.if_else(supported, texts, None), compiled=compiled).to_pylist()
    towns = place.gazetteer(rules.places)
    regions = {row: place.mentioned(texts[row].as_py(), towns) for row in place.may_mention(folded, towns)}
    search = matcher(rules).hits
    readings = []
    for row, (text, language, score) in enumerate(zip(folded.to_pylist(), spoken, scores, strict=True)):
        hits = [hit for hit in search(text) if not hit.rule.languages or language in hit.rule.languages]
        gap = "no_text" if not text else "unsupported_language" if score is None else None
        score = score if text else None
        region = regions.get(row, place.NOWHERE)
        conditional = tuple(hits) if any(hit.rule.channels for hit in hits) else ()
        readings.append(Reading(*_told(hits), conditional, language, score, gap, region))
    return readings


def _told(hits: Iterable[Hit]) -> tuple[tuple[Rule, ...], str]:
    """The rules that fired, once each, and the evidence as JSON by position."""
    fired = tuple({hit.rule.id: hit.rule for hit in hits}.values())
    spans = sorted((hit.start, hit.end, hit.rule.id) for hit in hits)
    told = [f'{{"rule":"{rule}","start":{start},"end":{end}}}' for start, end, rule in spans]
    return fired, f"[{','.join(told)}]"


def _in_channel(reading: Reading, channel: str) -> Reading:
    hits = [hit for hit in reading.conditional if not hit.rule.channels or channel in hit.rule.channels]
    fired, evidence = _told(hits)
    return reading._replace(fired=fired, evidence=evidence)


@lru_cache(maxsize=4)
def _verdicts(rules: Rules) -> dict[Any, Verdict]:
    """Verdicts that this process has reached under ``rules``, by all that they depend on."""
    return {}


@lru_cache(maxsize=4)
def _limits(rules: Rules) -> list[float]:
    """The scores at which the verdict can change, if at or below."""
    return sorted({DISSATISFIED, *(limit for limit, _ in rules.severity.sentiment)})


def _verdict(
    reading: Reading,
    labels: tuple[Label | None, Label | None],
    declared: str | None,
    rating: float | None,
    rules: Rules,
) -> Verdict:
    about = topic(reading.fired, labels[0], rules)
    kind = contact_class(
        reading.fired,
        about,
        rules,
        declared=declared,
        label=labels[1],
        rating=rating,
        sentiment=reading.sentiment,
    )
    reasons = severity(about.category, kind, reading.fired, rules, sentiment=reading.sentiment, rating=rating)
    ids = {rule.id for rule in reading.fired} | {label.id for label in labels if label}
    domain = rules.categories[about.category].domain
    return Verdict(
        kind,
        domain,
        about.category,
        about.subcategory,
        about.secondary,
        sorted(ids),
        grade(reasons),
        sorted(reasons),
    )


def _columns(rows: list[Any], kind: Any) -> dict[str, Any]:
    return dict(zip(kind._fields, zip(*rows, strict=True), strict=True))


def with_repeats(enriched: pa.Table, repeat_of: pa.ChunkedArray, rules: Rules) -> pa.Table:
    """``enriched`` with what each complaint repeats, and the severity of those that repeat one raised."""
    cues = {rule.id: rule for rule in rules.severity.cues}
    severities, reasons = enriched["severity"].to_pylist(), enriched["severity_reasons"].to_pylist()
    rows = pc.indices_nonzero(repeat_of.is_valid())
    known = enriched.select(["category", "contact_class", "sentiment", "rating"]).take(rows).to_pylist()
    for row, values in zip(rows.to_pylist(), known, strict=True):
        fired = [cues[reason] for reason in reasons[row] if reason in cues]
        weights = severity(fired=fired, rules=rules, **values) | {REPEAT: rules.severity.repeat}
        severities[row], reasons[row] = grade(weights), sorted(weights)
    for name, values in (("severity", severities), ("severity_reasons", reasons), ("repeat_of", repeat_of)):
        index = _schema().get_field_index(name)
        column = values if name == "repeat_of" else pa.array(values, _schema().field(index).type)
        enriched = enriched.set_column(index, _schema().field(index), column)
    return enriched
