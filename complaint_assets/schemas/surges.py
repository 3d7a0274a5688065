"""Counts against expectation, the incidents found in them, and what is expected next."""

from .types import CHANNELS, Date, Integer, Real, String, Table, Timestamp, column, pseudonym

SURGE_STATUSES = ("open", "resolved")
SURGE_SEVERITIES = ("SEV1", "SEV2", "SEV3")


class SurgeMetrics(Table):
    """One row per hour, channel, category and region that was active lately; zeros are explicit."""

    event_date: Date = column("UTC day: the partition.")
    bucket_start: Timestamp = column("UTC hour.")
    channel: String = column("Channel.", isin=CHANNELS)
    category: String = column("Category of the taxonomy.")
    region: String = column("ISO 3166-2 subdivision, or 'unknown'.")
    subjects: Integer = column("Distinct subjects who complained: the count that is watched.", ge=0)
    complaints: Integer = column("Complaints, repeats included.", ge=0)
    amplifications: Integer = column("Bare reposts; they weigh nothing.", ge=0)
    expected: Real = column("Subjects expected in this hour.", nullable=True, ge=0)
    variance: Real = column("Variance of that expectation.", nullable=True, ge=0)
    upper_95: Real = column("95 % of quiet hours stay at or below this.", nullable=True, ge=0)
    score: Real = column("-log10 of the chance of so many subjects in a quiet hour.", nullable=True, ge=0)


class Surges(Table):
    """One row per incident: a place and matter with more complainants than chance explains."""

    surge_id: String = pseudonym("Keyed by first scope and first hour: stable across reruns.", unique=True)
    status: String = column("Open or resolved.", isin=SURGE_STATUSES)
    severity: String = column("SEV1 is the worst.", isin=SURGE_SEVERITIES)
    channel: String = column("Channel it is confined to; null = several.", nullable=True)
    category: String = column("Category it is confined to; null = several.", nullable=True)
    region: String = column("Region it is confined to; null = several.", nullable=True)
    started_at: Timestamp = column("First hour of the excess.")
    detected_at: Timestamp = column("End of the hour whose data opened it.")
    last_hour_at: Timestamp = column("Last hour of the excess so far.")
    peak_at: Timestamp = column("Hour with the greatest excess.")
    resolved_at: Timestamp = column("When it was calm again.", nullable=True)
    observed: Integer = column("Distinct subjects during it.", ge=0)
    expected: Real = column("Subjects expected meanwhile.", ge=0)
    excess: Real = column("Observed minus expected.")
    ratio: Real = column("Observed over expected.", ge=0)
    score: Real = column("-log10 of the chance in a quiet week, at its best window.", ge=0)
    explanation: String = column("One sentence that a person can act on; counts only.")


class SurgeForecast(Table):
    """Subjects expected in each of the next 24 hours, per category and in all."""

    bucket_start: Timestamp = column("UTC hour.")
    category: String = column("Category, or 'all'.")
    expected: Real = column("Subjects expected.", ge=0)
    lower_80: Real = column("10 % of outcomes lie below.", ge=0)
    upper_80: Real = column("10 % of outcomes lie above.", ge=0)
    upper_95: Real = column("2.5 % of outcomes lie above.", ge=0)
