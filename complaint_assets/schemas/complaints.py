"""The unified table: one row per real-world event."""

from .standardised import CONTACT_CLASSES, RESOLUTION_STATUSES, TIME_QUALITIES
from .types import (
    CHANNELS,
    Boolean,
    Date,
    Integer,
    Real,
    String,
    Strings,
    Table,
    Timestamp,
    column,
    pseudonym,
)


class Complaints(Table):
    """One row per event; each column is an order-free aggregate over the event's deliveries."""

    complaint_id: String = pseudonym("Keyed hash of the delivery key.", unique=True)
    channel: String = column("Channel the contact came through.", isin=CHANNELS)
    source: String = column("Feed of the channel.")
    feeds: Strings = column("Every part of the source that delivered it, sorted.")
    source_record_id: String = column("The source's own id.", nullable=True)
    record_version: Integer = column("Highest version delivered.", ge=0)
    event_date: Date = column("UTC day on which it happened: the partition.")
    occurred_at: Timestamp = column("Earliest time given for it.")
    occurred_at_quality: String = column("How well that time is known.", isin=TIME_QUALITIES)
    first_received_at: Timestamp = column("When it first arrived.")
    last_received_at: Timestamp = column("When it last arrived.")
    deliveries: Integer = column("How often it was delivered.", ge=1)
    first_delivery_id: String = pseudonym("The delivery that arrived first.", unique=True)
    subject_id: String = pseudonym("Pseudonymous customer.", nullable=True)
    subject_refs: Strings = column("Where an event has several identifiers: each as kind:subject, sorted.")
    text: String = column("What was said, newest version, identifiers masked.", nullable=True)
    content_cluster: String = pseudonym(
        "Same words by anybody share this; a cut repost meets its original.", nullable=True
    )
    is_amplification: Boolean = column("A bare repost without text of its own.")
    rating: Real = column("Satisfaction from 1 (worst) to 5 (best).", nullable=True, ge=1, le=5)
    declared_class: String = column(
        "Class of contact that the source vouches for.", nullable=True, isin=CONTACT_CLASSES
    )
    source_category: String = column("The source's own category.", nullable=True)
    resolution_status: String = column(
        "State of the matter at the source.", nullable=True, isin=RESOLUTION_STATUSES
    )
    resolved_at: Timestamp = column("When the source closed the matter.", nullable=True)
    place: String = column("Place as the source names it.", nullable=True)
    latitude: Real = column("Degrees north.", nullable=True, ge=-90, le=90)
    longitude: Real = column("Degrees east.", nullable=True, ge=-180, le=180)
    attributes: String = column("The source's other fields, as a JSON object.")
    quality_flags: Strings = column("Union of the deliveries' flags, sorted.")
