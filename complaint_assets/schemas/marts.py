"""Tables that leave the house: features per customer; one mart per role."""

from .types import CHANNELS, Date, Integer, Real, String, Table, Timestamp, column, pseudonym


class CustomerFeatures(Table):
    """One row per subject and day of contact, from what was known by the end of that day."""

    subject_id: String = pseudonym("Pseudonymous customer.")
    event_date: Date = column("Day of contact; the features look back from its end.")
    contacts_7d: Integer = column("Contacts in the last 7 days.", ge=1)
    contacts_30d: Integer = column("Contacts in the last 30 days.", ge=1)
    contacts_90d: Integer = column("Contacts in the last 90 days.", ge=1)
    complaints_30d: Integer = column("Of these in 30 days, complaints and fault reports.", ge=0)
    repeats_30d: Integer = column("Of these in 30 days, repeats.", ge=0)
    categories_90d: Integer = column("Distinct categories in 90 days.", ge=1)
    channels_90d: Integer = column("Distinct channels in 90 days.", ge=1)
    worst_severity_90d: Integer = column("Highest severity in 90 days.", ge=1, le=5)
    mean_sentiment_30d: Real = column("Mean sentiment in 30 days.", nullable=True, ge=-1, le=1)
    sentiment_trend: Real = column(
        "Mean sentiment in 30 days less that in the 30 days before.", nullable=True, ge=-2, le=2
    )
    open_matters: Integer = column("Contacts of the last 90 days that the source had not closed.", ge=0)
    days_since_previous: Integer = column("Days since the contact day before.", nullable=True, ge=1)
    social_90d: Integer = column("Contacts by social media in 90 days.", ge=0)
    sms_90d: Integer = column("Contacts by SMS in 90 days.", ge=0)
    whatsapp_90d: Integer = column("Contacts by WhatsApp in 90 days.", ge=0)
    call_centre_90d: Integer = column("Contacts by telephone in 90 days.", ge=0)
    web_form_90d: Integer = column("Contacts by web form in 90 days.", ge=0)
    survey_90d: Integer = column("Contacts by survey in 90 days.", ge=0)
    churn_risk_score: Integer = column("Score by a documented formula, not a model.", ge=0, le=100)


class OperationsHourly(Table):
    """Complaint volume by hour for network operations."""

    event_hour: Timestamp = column("UTC hour.")
    region: String = column("ISO 3166-2 subdivision, or 'unknown'.")
    category: String = column("Category of the taxonomy.")
    channel: String = column("Channel.", isin=CHANNELS)
    complaints: Integer = column("Complaints, repeats included.", ge=0)
    complainants: Integer = column("Distinct people who complained.", ge=0)
    worst_severity: Integer = column("Highest severity; null = no complaint.", nullable=True, ge=1, le=5)


class ReportingDaily(Table):
    """Daily figures for CX and reporting; small cells are merged into 'other', or withheld (null)."""

    event_date: Date = column("UTC day.")
    channel: String = column("Channel.", isin=CHANNELS)
    domain: String = column("Top level of the taxonomy, or 'other'.")
    category: String = column("Category of the taxonomy, or 'other'.")
    region: String = column("ISO 3166-2 subdivision, 'unknown' or 'other'.")
    contacts: Integer = column("All contacts.", nullable=True, ge=0)
    complaints: Integer = column("Complaints and fault reports.", nullable=True, ge=0)
    complainants: Integer = column("Distinct subjects who complained.", nullable=True, ge=0)
    repeats: Integer = column("Complaints that repeat an earlier one.", nullable=True, ge=0)
    negative: Integer = column("Complaints with sentiment <= -0.05.", nullable=True, ge=0)
    with_sentiment: Integer = column("Complaints in a language that sentiment supports.", nullable=True, ge=0)
    resolved: Integer = column("Complaints the source has closed.", nullable=True, ge=0)
    mean_severity: Real = column("Mean severity of complaints.", nullable=True, ge=1, le=5)


class Restatements(Table):
    """Closed days that changed afterwards, by the day on which it arrived."""

    event_date: Date = column("The day restated.")
    restated_on: Date = column("UTC day on which late contacts arrived.")
    contacts: Integer = column("Contacts that came late; null = of few people.", nullable=True, ge=1)
    complaints: Integer = column("Of these, complaints and fault reports.", nullable=True, ge=0)


class RegulatorMonthly(Table):
    """Complaints by month and category, with the limits of resolution; small cells are merged or null."""

    month: Date = column("First day of the month; days that are not closed yet are missing.")
    category: String = column("Category of the taxonomy, or 'other'.")
    complaints: Integer = column("Complaints and fault reports.", nullable=True, ge=0)
    resolved: Integer = column("Complaints the source has closed.", nullable=True, ge=0)
    resolved_within_limit: Integer = column("Resolved within the category's limit.", nullable=True, ge=0)
    resolved_beyond_limit: Integer = column("Resolved beyond it.", nullable=True, ge=0)
    p80_hours_to_resolve: Real = column("Hours within which 80 % were resolved.", nullable=True, ge=0)


class AuditRows(Table):
    """What was done to people's data: the rows of the audit log."""

    number: Integer = column("Number of the row.", unique=True, ge=1)
    at: Timestamp = column("When.")
    action: String = column("What was done.")
    details: String = column("Counts and keyed hashes, as JSON.")
    previous: String = column("Digest of the row before.")
    digest: String = column("Digest of the row.")


class QuarantineReasons(Table):
    """Records that were set aside, and why; nothing of what they hold."""

    quarantine_id: String = pseudonym("The record.", unique=True)
    channel: String = column("Channel.", isin=CHANNELS)
    source: String = column("Feed of the channel.")
    slot: String = column("Partition in which it arrived.")
    reason: String = column("Why it could not be read.")


class DataScienceComplaints(Table):
    """Masked text with labels and features for data scientists."""

    complaint_id: String = pseudonym("The complaint.", unique=True)
    subject_id: String = pseudonym("Pseudonymous customer.", nullable=True)
    event_date: Date = column("UTC day.")
    occurred_at: Timestamp = column("When it happened.")
    channel: String = column("Channel.", isin=CHANNELS)
    masked_text: String = column("What was said, masked.", nullable=True)
    contact_class: String = column("What kind of contact it is.")
    category: String = column("Category of the taxonomy.")
    subcategory: String = column("Subcategory.", nullable=True)
    sentiment: Real = column("VADER compound score.", nullable=True, ge=-1, le=1)
    severity: Integer = column("From 1 to 5.", ge=1, le=5)
    language: String = column("ISO 639 code.")
    region: String = column("ISO 3166-2 subdivision.", nullable=True)
    rating: Real = column("Satisfaction from 1 to 5.", nullable=True, ge=1, le=5)
