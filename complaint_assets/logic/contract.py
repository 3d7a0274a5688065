"""What a source promises: the model of a contract, and how a field path reads a record.

Reading and validating contract files is the work of the loader in ``complaint_assets.contracts``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from .identify import IdentifierKind
from .timestamps import Layouts

FormatType = Literal["jsonl", "json", "csv", "tsv", "xlsx", "xml", "parquet", "whatsapp_export"]
TABULAR = ("csv", "tsv", "xlsx", "parquet")
"""Formats whose records are rows under a header."""

_PATH = re.compile(r"[^.\[\]]+(?:\[\d*\])*(?:\.[^.\[\]]+(?:\[\d*\])*)*")
_STEP = re.compile(r"[^.\[\]]+|\[\d*\]")
_INDEX = re.compile(r"\[\d+\]")
_EVERY = "[]"


class FieldPath:
    """Where a value lies in a record: ``a.b[0].c``, with ``[]`` for every element of a list.

    A name that is a key of the record as it stands (a column heading with dots in it) is taken as that key.
    """

    __slots__ = ("generic", "steps", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.generic = _INDEX.sub(_EVERY, text)
        steps = _STEP.findall(text) if _PATH.fullmatch(text) else [text]
        self.steps: tuple[str | int, ...] = tuple(
            int(step[1:-1]) if _INDEX.fullmatch(step) else step for step in steps
        )

    def read(self, fields: Mapping[str, Any]) -> Any:
        """The value in ``fields``, None where there is none, a list for a path with ``[]``."""
        if self.text in fields:
            return fields[self.text]
        return None if len(self.steps) == 1 else _descend(fields, self.steps)


def _descend(value: Any, steps: tuple[str | int, ...]) -> Any:
    for position, step in enumerate(steps):
        if step == _EVERY:
            found: list[Any] = []
            for element in value if isinstance(value, list) else ():
                inner = _descend(element, steps[position + 1 :])
                found.extend(inner if isinstance(inner, list) else [inner])
            return found
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return None
    return value


Paths = tuple[FieldPath, ...]


@dataclass(frozen=True)
class Format:
    """How the bytes of an object become records.

    ``records``: path of the lists inside one JSON document that hold the records (``entry[].messages[]``), or
    of the elements of an XML document that are records (``complaints.complaint[]``).
    ``trailer``: what the last line looks like that counts the records, with a group ``count``.
    ``headers``: what stands before the sender in a WhatsApp export, as strptime layouts.
    """

    type: FormatType
    encoding: str = "utf-8"
    delimiter: str = ","
    preamble_rows: int = 0
    sheet: str | None = None
    records: str | None = None
    headers: tuple[str, ...] = ()
    trailer: str | None = None


@dataclass(frozen=True)
class Identity:
    """The source's own id of a record, the version of an edited one, and the part that delivered it."""

    record_id: Paths = ()
    version: FieldPath | None = None
    version_counts: bool = False
    feed: FieldPath | None = None


@dataclass(frozen=True)
class Time:
    """Fields that make a time together, and what stands in where they are missing."""

    fields: Paths
    layouts: Layouts
    otherwise: Literal["received"] | date | None = None


@dataclass(frozen=True)
class Author:
    """One field that can name the author; ``of`` is the register that gives the identifier out."""

    field: FieldPath
    kind: IdentifierKind
    of: str | None = None


@dataclass(frozen=True)
class Rating:
    """A rating whose scale runs from ``worst`` to ``best``."""

    field: FieldPath
    worst: float
    best: float


@dataclass(frozen=True)
class Status:
    """State of the matter; ``values`` maps the source's words, in lower case, to the canonical ones."""

    field: FieldPath
    values: Mapping[str, str]


@dataclass(frozen=True)
class Coordinates:
    """Two fields with degrees, or one text that holds "(latitude, longitude)"."""

    latitude: FieldPath | None = None
    longitude: FieldPath | None = None
    pair: FieldPath | None = None
    missing: frozenset[tuple[float, float]] = frozenset()


@dataclass(frozen=True)
class Amplification:
    """What marks a bare repost: a field that is there, a field with a value, or how the text begins."""

    field: FieldPath | None = None
    equals: str | None = None
    prefix: str | None = None


@dataclass(frozen=True)
class Contract:
    """One feed of one channel. Every key of the file is explained in ``contract.schema.json``."""

    channel: str
    source: str
    version: str
    description: str
    owner: str
    format: Format
    occurred_at: Time
    resolved_at: Time | None = None
    event_time: Literal["fixed", "movable"] = "fixed"
    missing: frozenset[str] = frozenset()
    identity: Identity = field(default_factory=Identity)
    author: tuple[Author, ...] = ()
    text: Paths = ()
    markup: Literal["html"] | None = None
    rating: Rating | None = None
    declared_class: str | None = None
    category: Paths = ()
    category_flags: Paths = ()
    status: Status | None = None
    place: Paths = ()
    coordinates: Coordinates | None = None
    amplification: Amplification | None = None
    required: Paths = ()
    personal: Paths = ()
    attributes: Paths = ()
    sparse: Paths = ()
    cadence_minutes: int = 60
    max_age_hours: float = 24
    retention_days: int = 730

    @property
    def event_time_moves(self) -> bool:
        """Whether the same record may come again with another event time."""
        return self.event_time == "movable" or self.occurred_at.otherwise == "received"

    @property
    def header(self) -> Paths:
        """Columns that a table must have; without one of them its layout is not the one promised."""
        return (*self.required, *self.identity.record_id, *self.occurred_at.fields)

    @property
    def declared(self) -> Paths:
        """Every field that the contract knows."""
        return (*self.mapped, *self.required, *self.attributes)

    @property
    def mapped(self) -> Paths:
        """Every field that becomes a canonical column or is never kept: what is left goes to attributes."""
        single = (
            self.identity.version,
            self.identity.feed,
            self.rating and self.rating.field,
            self.status and self.status.field,
            self.coordinates and self.coordinates.latitude,
            self.coordinates and self.coordinates.longitude,
            self.coordinates and self.coordinates.pair,
            self.amplification and self.amplification.field,
        )
        return (
            *self.identity.record_id,
            *self.occurred_at.fields,
            *(self.resolved_at.fields if self.resolved_at else ()),
            *(author.field for author in self.author),
            *self.text,
            *self.category,
            *self.category_flags,
            *self.place,
            *self.personal,
            *(path for path in single if path),
        )


def build_contract(data: Mapping[str, Any]) -> Contract:
    """The contract that ``data``, valid under the JSON Schema of contracts, describes.

    Raises:
        ValueError: keys contradict each other, or a timestamp layout, zone or date is unknown; the message
            begins with the key at fault.
    """
    form = Format(**{**data["format"], "headers": tuple(data["format"].get("headers", ()))})
    if form.type == "tsv":
        form = Format(**{**vars(form), "delimiter": data["format"].get("delimiter", "\t")})
    if form.type == "whatsapp_export" and not form.headers:
        raise ValueError("format.headers: a whatsapp_export needs at least one layout")
    if form.type == "xml" and not form.records:
        raise ValueError("format.records: say which elements are records, such as complaints.complaint[]")
    if form.type in ("json", "xml") and form.encoding.startswith("utf-16"):
        raise ValueError(f"format.encoding: {form.type} is read in encodings of single bytes and in utf-8 only")
    if form.trailer is not None:
        _check_trailer(form)
    occurred_at = _time("occurred_at", data["occurred_at"], form.headers)
    if not occurred_at.fields and occurred_at.otherwise is None:
        raise ValueError("occurred_at: give fields, or say what holds otherwise")
    identity = data.get("identity", {})
    version = identity.get("version")
    category = data.get("category", {})
    rating = data.get("rating")
    status = data.get("status")
    text = data.get("text", {})
    freshness = data.get("freshness", {})
    return Contract(
        channel=data["channel"],
        source=data["source"],
        version=data["version"],
        description=data["description"],
        owner=data["owner"],
        format=form,
        occurred_at=occurred_at,
        resolved_at=_time("resolved_at", data["resolved_at"], occurred_at.layouts.layouts, occurred_at)
        if "resolved_at" in data
        else None,
        event_time=identity.get("event_time", "fixed"),
        missing=frozenset(str(code).strip().casefold() for code in data.get("missing", ())),
        identity=Identity(
            record_id=_paths(identity.get("record_id", ())),
            version=FieldPath(version["count"] if isinstance(version, dict) else version) if version else None,
            version_counts=isinstance(version, dict),
            feed=FieldPath(identity["feed"]) if "feed" in identity else None,
        ),
        author=tuple(
            Author(FieldPath(item["field"]), item["kind"], item.get("of")) for item in data.get("author", ())
        ),
        text=_paths(text.get("fields", ())),
        markup=text.get("markup"),
        rating=_rating(rating) if rating else None,
        declared_class=data.get("class"),
        category=_paths(category.get("fields", ())),
        category_flags=_paths(category.get("flags", ())),
        status=Status(
            FieldPath(status["field"]),
            {str(word).strip().casefold(): state for word, state in status["values"].items()},
        )
        if status
        else None,
        place=_paths(data.get("place", ())),
        coordinates=_coordinates(data["coordinates"]) if "coordinates" in data else None,
        amplification=_amplification(data["amplification"]) if "amplification" in data else None,
        required=_paths(data.get("required", ())),
        personal=_paths(data.get("personal", ())),
        attributes=_paths(data.get("attributes", ())),
        sparse=_paths(data.get("sparse", ())),
        cadence_minutes=freshness.get("cadence_minutes", 60),
        max_age_hours=freshness.get("max_age_hours", 24),
        retention_days=data.get("retention_days", 730),
    )


def _check_trailer(form: Format) -> None:
    if form.type not in ("csv", "tsv", "jsonl") or form.records or form.encoding.startswith("utf-16"):
        raise ValueError("format.trailer: only csv, tsv and jsonl with a record a line, not in utf-16, have one")
    try:
        groups = re.compile((form.trailer or "").encode(form.encoding)).groupindex
    except (re.error, UnicodeEncodeError) as error:
        raise ValueError(f"format.trailer: {error}") from None
    if "count" not in groups:
        raise ValueError("format.trailer: name the group of the count, such as TRAILER,(?P<count>[0-9]+)")


def _paths(names: Sequence[str]) -> Paths:
    return tuple(FieldPath(name) for name in names)


def _time(key: str, data: Mapping[str, Any], layouts: Sequence[str], beside: Time | None = None) -> Time:
    """The time under ``key``; what it leaves out is taken from ``layouts`` and the time ``beside`` it."""
    declared = tuple(data.get("layouts", layouts)) or ("iso8601",)
    zone = data.get("timezone", beside.layouts.timezone if beside else "UTC")
    otherwise = data.get("otherwise")
    try:
        return Time(
            fields=_paths(data.get("fields", ())),
            layouts=Layouts(declared, zone),
            otherwise=date.fromisoformat(otherwise) if otherwise not in (None, "received") else otherwise,
        )
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _rating(data: Mapping[str, Any]) -> Rating:
    worst, best = data["scale"]
    if worst == best:
        raise ValueError("rating.scale: the worst and the best rating must differ")
    return Rating(FieldPath(data["field"]), worst, best)


def _coordinates(data: Mapping[str, Any]) -> Coordinates:
    if ("field" in data) == ("latitude" in data):
        raise ValueError("coordinates: give either latitude and longitude, or field")
    return Coordinates(
        **{
            name: FieldPath(data[key])
            for name, key in (("latitude", "latitude"), ("longitude", "longitude"), ("pair", "field"))
            if key in data
        },
        missing=frozenset((float(north), float(east)) for north, east in data.get("missing", ())),
    )


def _amplification(data: Mapping[str, Any]) -> Amplification:
    if ("field" in data) == ("prefix" in data):
        raise ValueError("amplification: give either field or prefix")
    return Amplification(
        field=FieldPath(data["field"]) if "field" in data else None,
        equals=data.get("equals"),
        prefix=data.get("prefix"),
    )
