"""Complaints with what they are about, how bad they are and where."""

from .standardised import CONTACT_CLASSES, RESOLUTION_STATUSES
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

SENTIMENT_GAPS = ("no_text", "unsupported_language")
REGION_METHODS = ("coordinates", "post_code", "declared_place", "text_mention")


class EnrichedComplaints(Table):
    """One row per complaint with class, category and evidence, sentiment, severity, language, place."""

    complaint_id: String = pseudonym("The complaint.", unique=True)
    channel: String = column("Channel the contact came through.", isin=CHANNELS)
    source: String = column("Feed of the channel.")
    event_date: Date = column("UTC day on which it happened: the partition.")
    occurred_at: Timestamp = column("When it happened.")
    first_received_at: Timestamp = column("When it first arrived.")
    deliveries: Integer = column("How often it was delivered.", ge=1)
    subject_id: String = pseudonym("Pseudonymous customer.", nullable=True)
    masked_text: String = column("What was said, masked for the environment.", nullable=True)
    contact_class: String = column("What kind of contact it is.", isin=CONTACT_CLASSES)
    domain: String = column("Top level of the taxonomy.")
    category: String = column("What it is about.")
    subcategory: String = column("What exactly, where the rules can tell.", nullable=True)
    secondary_categories: Strings = column("Other categories that rules found, sorted.")
    rule_ids: Strings = column("Rules that fired, sorted.")
    evidence: String = column("Fired rules with character spans in the text, as JSON.")
    sentiment: Real = column("VADER compound score.", nullable=True, ge=-1, le=1)
    sentiment_gap: String = column("Why there is no sentiment.", nullable=True, isin=SENTIMENT_GAPS)
    severity: Integer = column("From 1 (low) to 5 (critical).", ge=1, le=5)
    severity_reasons: Strings = column("What raised or lowered the severity, sorted.")
    language: String = column("ISO 639 code; und = too short to tell.")
    region: String = column("ISO 3166-2 subdivision.", nullable=True)
    region_method: String = column("How the region was found.", nullable=True, isin=REGION_METHODS)
    region_confidence: Real = column("How far to trust it.", nullable=True, ge=0, le=1)
    repeat_of: String = pseudonym("Earlier complaint of the same subject and matter.", nullable=True)
    content_cluster: String = pseudonym("Same words by anybody share this.", nullable=True)
    is_amplification: Boolean = column("A bare repost without text of its own.")
    rating: Real = column("Satisfaction from 1 (worst) to 5 (best).", nullable=True, ge=1, le=5)
    resolution_status: String = column(
        "State of the matter at the source.", nullable=True, isin=RESOLUTION_STATUSES
    )
    resolved_at: Timestamp = column("When the source closed the matter.", nullable=True)
    taxonomy_version: String = column("Version of the rules that classified it.")
