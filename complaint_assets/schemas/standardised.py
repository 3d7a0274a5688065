"""What a slot becomes: deliveries in canonical columns, the quarantine, and the intake ledger."""

from .types import (
    CHANNELS,
    Boolean,
    Date,
    Dates,
    Integer,
    Real,
    String,
    Strings,
    Table,
    Timestamp,
    column,
    pseudonym,
)

CONTACT_CLASSES = ("complaint", "fault_report", "enquiry", "praise", "spam")
RESOLUTION_STATUSES = ("open", "pending", "resolved", "closed")
TIME_QUALITIES = ("exact", "minute", "date", "declared", "received")

QUARANTINE_REASONS = (
    "undecodable",
    "malformed",
    "oversize",
    "missing_required",
    "held",
    "count_mismatch",
    "unparseable_time",
    "ambiguous_time",
    "time_out_of_range",
    "invalid_value",
)

HELD = ("held", "count_mismatch")
"""Reasons for which an object lies in the quarantine as a whole."""

DRIFT_KINDS = ("new", "missing_optional", "missing_required", "retyped")


class Standardised(Table):
    """One row per delivery: a record exactly as one source delivered it once."""

    delivery_id: String = pseudonym("Hash of source, object and offset: where the bytes lie.", unique=True)
    complaint_id: String = pseudonym("Keyed hash of the delivery key: which event this is.")
    channel: String = column("Channel the record came through.", isin=CHANNELS)
    source: String = column("Feed of the channel, as named by its contract.")
    feed: String = column("Part of the source that delivered it, where one has parts.", nullable=True)
    source_record_id: String = column("The source's own id of the record.", nullable=True)
    record_version: Integer = column("Version of an edited record; the highest wins.", ge=0)
    slot: String = column("Partition in which the bytes arrived (UTC).")
    arrival_date: Date = column("UTC day of the slot.")
    object_sha256: String = column("Raw object that holds the record.", str_matches=r"^[0-9a-f]{64}$")
    byte_offset: Integer = column(
        "Where the record starts in the object, unpacked if it is compressed, in bytes.", ge=0
    )
    byte_length: Integer = column("Length of the record in the object, in bytes.", ge=0)
    received_at: Timestamp = column("When the object arrived.")
    occurred_at: Timestamp = column("When the contact happened.")
    occurred_at_quality: String = column("How well that time is known.", isin=TIME_QUALITIES)
    event_date: Date = column("UTC day of occurred_at: the partition downstream.")
    author_ref: String = pseudonym("Subject of the record's best identifier.", nullable=True)
    subject_refs: Strings = column("Where a record has several identifiers: each as kind:subject, sorted.")
    text: String = column("What was said, identifiers masked.", nullable=True)
    content_key: String = pseudonym("Keyed hash of how the normalised text begins.", nullable=True)
    is_amplification: Boolean = column("A bare repost without text of its own.")
    rating: Real = column("Satisfaction from 1 (worst) to 5 (best).", nullable=True, ge=1, le=5)
    declared_class: String = column(
        "Class of contact that the source vouches for.", nullable=True, isin=CONTACT_CLASSES
    )
    source_category: String = column("The source's own category, as delivered.", nullable=True)
    resolution_status: String = column(
        "State of the matter at the source.", nullable=True, isin=RESOLUTION_STATUSES
    )
    resolved_at: Timestamp = column("When the source closed the matter.", nullable=True)
    place: String = column("Place as the source names it.", nullable=True)
    latitude: Real = column("Degrees north.", nullable=True, ge=-90, le=90)
    longitude: Real = column("Degrees east.", nullable=True, ge=-180, le=180)
    attributes: String = column("The source's other fields, as a JSON object.")
    quality_flags: Strings = column("What is imperfect about the record, sorted.")
    contract_version: String = column("Version of the contract that read it.")


class Quarantine(Table):
    """One row per record that could not be read; its bytes stay in the raw object."""

    quarantine_id: String = pseudonym("Hash of source, object and offset.", unique=True)
    channel: String = column("Channel the record came through.", isin=CHANNELS)
    source: String = column("Feed of the channel.")
    slot: String = column("Partition in which the bytes arrived (UTC).")
    arrival_date: Date = column("UTC day of the slot.")
    object_sha256: String = column("Raw object that holds the record.", str_matches=r"^[0-9a-f]{64}$")
    byte_offset: Integer = column(
        "Where the record starts in the object, unpacked if it is compressed, in bytes.", ge=0
    )
    byte_length: Integer = column("Length of the record in the object, in bytes.", ge=0)
    received_at: Timestamp = column("When the object arrived.")
    reason: String = column("Why it could not be read.", isin=QUARANTINE_REASONS)
    field: String = column("Field at fault, where one is.", nullable=True)
    contract_version: String = column("Version of the contract that refused it.")


class Drifts(Table):
    """One row per raw object, kind of drift and field: how the object differs from its contract."""

    channel: String = column("Channel the object came through.", isin=CHANNELS)
    source: String = column("Feed of the channel.")
    slot: String = column("Partition in which the object arrived (UTC).")
    arrival_date: Date = column("UTC day of the slot.")
    object_sha256: String = column("The raw object.", str_matches=r"^[0-9a-f]{64}$")
    kind: String = column("What differs; without a required field the object is held.", isin=DRIFT_KINDS)
    field: String = column("Path or heading of the field; never a value.")
    suggestion: String = column("New field that may be the missing one under another name.", nullable=True)
    records: Integer = column("Records that show it.", ge=0)
    contract_version: String = column("Version of the contract that was compared.")


class Intake(Table):
    """One row per raw object that has been standardised: the ledger that restatement works from."""

    channel: String = column("Channel.", isin=CHANNELS)
    source: String = column("Feed of the channel.")
    slot: String = column("Partition in which the object arrived.")
    object_sha256: String = column("The raw object.", str_matches=r"^[0-9a-f]{64}$")
    manifest_sha256: String = column("Checksum of the slot's manifest that was read.")
    bytes: Integer = column("Size of the object.", ge=0)
    records_in: Integer = column("Records found in the object.", ge=0)
    standardised: Integer = column("Records that became deliveries.", ge=0)
    quarantined: Integer = column("Records that could not be read.", ge=0)
    event_dates: Dates = column("Event dates whose complaints this object can change, sorted.")
    content_digest: String = column("Digest of the object's standardised rows.")
    contract_version: String = column("Version of the contract that read it.")
