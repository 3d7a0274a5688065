"""Counts against expectation, the incidents found in them, and what is expected next."""

from .types import CHANNELS, Date, Integer, Real, String, Strings, Table, Timestamp, column, pseudonym

SURGE_STATUSES = ("open", "resolved")
SOURCE_STATES = ("heard", "silent", "catching_up")
SURGE_CHANGES = ("open", "update", "escalate", "resolve", "reopen")
SURGE_SEVERITIES = ("SEV1", "SEV2", "SEV3")


class SurgeMetrics(Table):
    """One row per hour, channel, category and region that was active lately; zeros are explicit."""

    event_date: Date = column("UTC day: the partition.")
    bucket_start: Timestamp = column("UTC hour.")
    channel: String = column("Channel.", isin=CHANNELS)
    category: String = column("Category of the taxonomy.")
    region: String = column("ISO 3166-2 subdivision, or 'unknown'.")
    subjects: Integer = column("Distinct subjects who complained: the count that is watched.", ge=0)
    by_15: Integer = column("Of the subjects, those who had complained by minute 15 of the hour.", ge=0)
    by_30: Integer = column("Of the subjects, those by minute 30.", ge=0)
    by_45: Integer = column("Of the subjects, those by minute 45.", ge=0)
    complaints: Integer = column("Complaints, repeats included.", ge=0)
    amplifications: Integer = column("Bare reposts; they weigh nothing.", ge=0)
    source_state: String = column(
        "Whether the channel is heard: silent = nothing came where much was expected; catching_up = what a "
        "silence held back comes in. Only hours that are heard are looked at for surges.",
        isin=SOURCE_STATES,
    )
    expected: Real = column("Subjects expected in this hour.", nullable=True, ge=0)
    variance: Real = column("Variance of counts around that expectation.", nullable=True, ge=0)
    lower_99: Real = column("Lower edge of the central 99 % band.", nullable=True, ge=0)
    lower_90: Real = column("Lower edge of the central 90 % band.", nullable=True, ge=0)
    lower_50: Real = column("Lower edge of the central 50 % band.", nullable=True, ge=0)
    upper_50: Real = column("Upper edge of the central 50 % band.", nullable=True, ge=0)
    upper_95: Real = column(
        "Upper edge of the central 90 % band: 95 % of quiet hours stay within.", nullable=True, ge=0
    )
    upper_99: Real = column("Upper edge of the central 99 % band.", nullable=True, ge=0)
    score: Real = column("-log10 of the chance of so many subjects in a quiet hour.", nullable=True, ge=0)


class Surges(Table):
    """One row per incident: a place and matter with more complainants than chance explains."""

    surge_id: String = pseudonym("Keyed by first scope and first hour: stable across reruns.", unique=True)
    status: String = column("Open or resolved.", isin=SURGE_STATUSES)
    severity: String = column("SEV1 is the worst.", isin=SURGE_SEVERITIES)
    channel: String = column("Channel it is confined to; null = several.", nullable=True)
    category: String = column("Category it is confined to; null = several.", nullable=True)
    region: String = column("Region it is confined to; null = several.", nullable=True)
    regions: Strings = column("Regions it is confined to; none = all.")
    started_at: Timestamp = column("Begin of the excess.")
    detected_at: Timestamp = column("End of the quarter of an hour whose data opened it.")
    last_hour_at: Timestamp = column("Last hour of the excess so far.")
    peak_at: Timestamp = column("Hour with the greatest excess.")
    resolved_at: Timestamp = column("When it was calm again.", nullable=True)
    observed: Integer = column("Distinct subjects during it.", ge=0)
    expected: Real = column("Subjects expected meanwhile.", ge=0)
    lower_90: Real = column("Lower edge of the central 90 % band of that expectation.", ge=0)
    upper_95: Real = column("Upper edge of it.", ge=0)
    excess: Real = column("Observed minus expected.")
    ratio: Real = column("Observed over expected.", ge=0)
    share: Real = column("Of all subjects who complained meanwhile.", ge=0)
    rate_per_100k: Real = column("Excess per 100,000 subscribers of its regions; null = not known.", nullable=True)
    score: Real = column("-log10 of the chance in a quiet week, at its best window.", ge=0)
    further_6h: Real = column("Subjects of the next six hours if it goes on; null = over.", nullable=True, ge=0)
    further_6h_upper_90: Real = column("Upper edge of the central 90 % band of these.", nullable=True, ge=0)
    movers: String = column("Channels, categories and regions with the greatest excess in it, as JSON.")
    phrases: Strings = column("Words that stand out in it, used by five subjects or more; the strongest first.")
    example_ids: Strings = column("Complaints in it, the gravest first.")
    not_due_to: String = column("What was looked at and is not counted: reposts, repeats, backlogs.")
    history: String = column("What happened to it and when, as JSON; rows of it are in surge_transitions.")
    explanation: String = column("One sentence that a person can act on; counts only.")


class SurgeTransitions(Table):
    """One row per change in the life of an incident: what alerts are made of."""

    transition_id: String = pseudonym(
        "Keyed by incident, change and how often: stable across reruns.", unique=True
    )
    surge_id: String = pseudonym("The incident.")
    change: String = column("What happened.", isin=SURGE_CHANGES)
    at: Timestamp = column("End of the data that showed it.")
    severity: String = column("From then on.", isin=SURGE_SEVERITIES)
    observed: Integer = column("Distinct subjects so far.", ge=0)
    expected: Real = column("Subjects expected meanwhile.", ge=0)


class SurgeForecast(Table):
    """Subjects expected in each of the next 24 hours, per category and in all."""

    bucket_start: Timestamp = column("UTC hour.")
    category: String = column("Category, or 'all'.")
    expected: Real = column("Subjects expected.", ge=0)
    lower_80: Real = column("10 % of outcomes lie below.", ge=0)
    upper_80: Real = column("10 % of outcomes lie above.", ge=0)
    lower_95: Real = column("2.5 % of outcomes lie below.", ge=0)
    upper_95: Real = column("2.5 % of outcomes lie above.", ge=0)


class SurgeBacktest(Table):
    """What became of planted outages with 20 excess complaints or more, per size; size 0 = all."""

    size: Real = column("Times the usual rate; 0 = all sizes.", unique=True, ge=0)
    outages: Integer = column("Planted.", ge=0)
    recall: Real = column("Share that an incident told of in time.", ge=0, le=1)
    mean_delay: Real = column("Hours from the begin to the data that showed it.", nullable=True)
    median_delay: Real = column("The median of these.", nullable=True)
    exactly_one: Real = column("Of those found, the share that made one incident only.", ge=0, le=1)
    incidents: Real = column("Mean number of incidents of those found.", nullable=True)
    overlap: Real = column("Mean overlap (Jaccard) of their place with the true one.", nullable=True)
