"""The query-optimised table of the warehouse: no text, no identifier."""

from .standardised import CONTACT_CLASSES, RESOLUTION_STATUSES
from .types import CHANNELS, Boolean, Date, Integer, Real, String, Table, Timestamp, column, pseudonym

UNKNOWN = "unknown"


class ComplaintFacts(Table):
    """One narrow row per complaint, ready for grouping."""

    complaint_id: String = pseudonym("The complaint.", unique=True)
    subject_id: String = pseudonym("Pseudonymous customer.", nullable=True)
    event_date: Date = column("UTC day on which it happened: the partition.")
    event_hour: Timestamp = column("UTC hour in which it happened.")
    occurred_at: Timestamp = column("When it happened.")
    received_at: Timestamp = column("When it first arrived.")
    channel: String = column("Channel the contact came through.", isin=CHANNELS)
    source: String = column("Feed of the channel.")
    contact_class: String = column("What kind of contact it is.", isin=CONTACT_CLASSES)
    is_complaint: Boolean = column("Complaint or fault report, and not a bare repost.")
    domain: String = column("Top level of the taxonomy.")
    category: String = column("What it is about.")
    subcategory: String = column("What exactly.", nullable=True)
    region: String = column("ISO 3166-2 subdivision, or 'unknown'.")
    language: String = column("ISO 639 code.")
    sentiment: Real = column("VADER compound score.", nullable=True, ge=-1, le=1)
    severity: Integer = column("From 1 (low) to 5 (critical).", ge=1, le=5)
    rating: Real = column("Satisfaction from 1 to 5.", nullable=True, ge=1, le=5)
    is_repeat: Boolean = column("The same subject raised the same matter within a day before.")
    is_amplification: Boolean = column("A bare repost without text of its own.")
    content_cluster: String = pseudonym("Same words by anybody share this.", nullable=True)
    resolution_status: String = column(
        "State of the matter at the source.", nullable=True, isin=RESOLUTION_STATUSES
    )
    resolved_at: Timestamp = column("When the source closed the matter.", nullable=True)
    deliveries: Integer = column("How often it was delivered.", ge=1)
    taxonomy_version: String = column("Version of the rules that classified it.")
