"""Which subjects are one customer: what was declared together, and what follows from it."""

from .types import Boolean, Integer, Real, String, Table, Timestamp, column, pseudonym


class SubjectLinks(Table):
    """One row per pair of subjects that one record declared together, by kind of evidence and source."""

    left: String = pseudonym("The lesser subject.")
    right: String = pseudonym("The other subject.")
    evidence: String = column("Kinds of the two identifiers, sorted.", str_matches=r"^[a-z_]+\+[a-z_]+$")
    source: String = column("Channel and source of the records.")
    first_at: Timestamp = column("Earliest contact that shows it: valid from here on.")
    last_at: Timestamp = column("Latest contact that shows it.")
    complaints: Integer = column("Number of contacts that show it.", ge=1)


class Subjects(Table):
    """One row per subject with links: the customer whom it belongs to."""

    subject_id: String = pseudonym("The subject.", unique=True)
    customer_id: String = pseudonym("Least of the subjects that links join: the same for all of one customer.")
    identifiers: Integer = column("Number of subjects of the customer.", ge=1)
    partners: Integer = column("Number of other subjects declared beside this one.", ge=1)
    is_shared: Boolean = column("Declared beside too many others, as a company's line is: links nobody.")
    linked_at: Timestamp = column("Earliest contact that joins it to another.", nullable=True)


BANDS = ("weak", "fair", "strong")


class ProbableLinks(Table):
    """One row per pair of subjects that may be one customer; not calibrated, never merged into subjects."""

    left: String = pseudonym("The lesser subject.")
    right: String = pseudonym("The other subject.")
    match_weight: Real = column("Evidence in bits: log2 of the Bayes factor times the prior odds.")
    band: String = column("How strong the evidence is.", isin=BANDS)
    model_version: String = column("Model that weighed it.")
