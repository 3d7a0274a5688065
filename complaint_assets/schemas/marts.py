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
    subjects: Integer = column("Distinct complainants.", ge=0)
    worst_severity: Integer = column("Highest severity.", ge=1, le=5)


class ReportingDaily(Table):
    """Daily figures for CX and reporting; small cells are merged into 'other'."""

    event_date: Date = column("UTC day.")
    channel: String = column("Channel.", isin=CHANNELS)
    domain: String = column("Top level of the taxonomy.")
    category: String = column("Category of the taxonomy.")
    region: String = column("ISO 3166-2 subdivision, or 'unknown'.")
    contacts: Integer = column("All contacts.", ge=0)
    complaints: Integer = column("Complaints and fault reports.", ge=0)
    complainants: Integer = column("Distinct subjects who complained.", ge=0)
    repeats: Integer = column("Complaints that repeat an earlier one.", ge=0)
    negative: Integer = column("Complaints with sentiment <= -0.05.", ge=0)
    with_sentiment: Integer = column("Complaints in a language that sentiment supports.", ge=0)
    resolved: Integer = column("Complaints the source has closed.", ge=0)
    mean_severity: Real = column("Mean severity of complaints.", nullable=True, ge=1, le=5)


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
