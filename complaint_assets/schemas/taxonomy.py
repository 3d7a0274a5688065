"""How the rules keep up with the world: terms that emerge, labels of people, and how far rules agree with them."""

from .types import Date, Integer, Real, String, Table, column, pseudonym


class EmergingTerms(Table):
    """Words and pairs of words of complaints without a category that more people use than before."""

    term: String = column("One word or two, from masked texts.", unique=True)
    subjects: Integer = column("Distinct subjects who used it in the newest week.", ge=5)
    subjects_before: Integer = column("Distinct subjects who used it in the four weeks before.", ge=0)
    score: Real = column("Log-odds against the weeks before, in standard deviations.", ge=2)
    week_end: Date = column("Last day of the newest week.")


class Labels(Table):
    """One row per complaint and person who labelled it."""

    complaint_id: String = pseudonym("The complaint.")
    event_date: Date = column("UTC day on which it happened.")
    labeller: String = column("Who labelled it.", str_length={"min_value": 1, "max_value": 60})
    category: String = column("What it is about, in their judgement.")


SCOPES = ("rules", "former_rules", "rules_beside_former", "labeller", "labellers", "category")


class Calibration(Table):
    """How far rules and people agree: in all, per labeller, between labellers, and per category."""

    scope: String = column("Who is compared with whom, or one category.", isin=SCOPES)
    name: String = column("Version of the rules, labeller, two labellers, or category.")
    labels: Integer = column("Labels compared; of a category, labels that name it.", ge=0)
    agreement: Real = column("Share of equal answers.", nullable=True, ge=0, le=1)
    kappa: Real = column("Cohen's kappa: agreement beyond chance.", nullable=True, ge=-1, le=1)
    precision: Real = column("Of what the rules put there, the share that people do.", nullable=True, ge=0, le=1)
    recall: Real = column("Of what people put there, the share that the rules do.", nullable=True, ge=0, le=1)
