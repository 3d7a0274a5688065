"""What a complaint means: category with evidence, class, sentiment, severity, language, region."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from complaint_assets.logic.enriched import place, spread
from complaint_assets.logic.enriched.enrich import enrich, with_repeats
from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.enriched import EnrichedComplaints
from complaint_assets.schemas.types import arrow_schema
from complaint_assets.schemas.validate import breaches
from complaint_assets.taxonomy import BUILT_IN, TaxonomyError, compile_rules, load_rules

SCHEMA = arrow_schema(Complaints)
RULES = load_rules("NG")
NOW = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)


def complaints(*rows: dict[str, Any]) -> pa.Table:
    """Complaints with what ``rows`` say and plain values for the rest."""
    plain = {
        "channel": "sms",
        "source": "gateway",
        "feeds": [],
        "record_version": 0,
        "event_date": NOW.date(),
        "occurred_at": NOW,
        "occurred_at_quality": "exact",
        "first_received_at": NOW,
        "last_received_at": NOW,
        "deliveries": 1,
        "is_amplification": False,
        "attributes": "{}",
        "quality_flags": [],
    }
    return pa.Table.from_pylist(
        [
            {
                **dict.fromkeys(SCHEMA.names),
                **plain,
                "complaint_id": f"{n:026}",
                "first_delivery_id": f"{n:026}",
                **row,
            }
            for n, row in enumerate(rows)
        ],
        schema=SCHEMA,
    )


def one(text: str | None, **row: Any) -> dict[str, Any]:
    found: dict[str, Any] = enrich(complaints({"text": text, **row}), RULES).to_pylist()[0]
    return found


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("There has been no network in Yaba since morning", "network"),
        ("My internet is so slow, 0.2Mbps only", "internet_speed"),
        ("I was overcharged on my bill this month", "billing"),
        ("I recharged 1000 naira and it has not reflected", "payments_recharge"),
        ("Someone swapped my SIM without my knowledge, this is SIM swap fraud", "fraud"),
        ("The app crashes whenever I open it", "app_website"),
        ("Your agent was rude to me on the phone", "customer_service"),
        ("The lunch was cold", "other"),
    ],
)
def test_plain_complaints_land_in_their_category(text: str, category: str) -> None:
    assert one(text)["category"] == category


def test_evidence_spans_are_the_words_that_fired() -> None:
    text = "Hello, there is NO NETWORK at all here, please call me back"
    row = one(text)
    evidence = json.loads(row["evidence"])
    assert {item["rule"] for item in evidence} == set(row["rule_ids"])
    spans = {item["rule"]: text[item["start"] : item["end"]] for item in evidence}
    assert spans["network.outage"].lower().startswith("no network")
    assert spans["class.complaint.demand"] == "call me back"


def test_a_negated_rule_does_not_fire() -> None:
    assert one("This is fraud")["category"] == "fraud"
    assert one("This is not a fraud")["category"] != "fraud"


def test_dissatisfaction_makes_a_complaint_and_trouble_alone_a_fault_report() -> None:
    assert one("No network in Ikeja since 6am")["contact_class"] == "fault_report"
    assert one("No network in Ikeja since 6am, this is unacceptable")["contact_class"] == "complaint"
    assert one("How do I check my balance?")["contact_class"] == "enquiry"
    assert one("Thank you so much, excellent service")["contact_class"] == "praise"


def test_what_the_source_vouches_for_is_not_overruled() -> None:
    assert one("Thank you so much", declared_class="complaint")["contact_class"] == "complaint"


def test_a_label_decides_where_there_is_no_text() -> None:
    row = one(None, source_category="Billing: disputed charge")
    assert (row["category"], row["sentiment"], row["sentiment_gap"]) == ("billing", None, "no_text")


WORDS = [
    "the",
    "service",
    "is",
    "really",
    "very",
    "BAD",
    "good",
    "not",
    "at",
    "all",
    "but",
    "never",
    ":)",
    "bad!!!",
]


@given(st.lists(st.sampled_from(WORDS)))
@settings(max_examples=60, deadline=None)
def test_sentiment_is_that_of_vader_to_the_last_digit(words: list[str]) -> None:
    text = " ".join(["I have been waiting for your service and it was", *words])
    assert one(text)["sentiment"] == SentimentIntensityAnalyzer().polarity_scores(text)["compound"]


def test_sentiment_is_null_and_not_zero_in_a_language_that_vader_does_not_know() -> None:
    row = one("Abeg wetin una dey do, network no dey since morning, e don tire me")
    assert (row["language"], row["sentiment"], row["sentiment_gap"]) == ("pcm", None, "unsupported_language")
    assert row["category"] == "network", "categories need no language"


def test_severity_rises_with_what_is_at_stake_and_says_why() -> None:
    plain = one("The network is bad in my room")
    grave = one("No network at all in the whole street for three days, even emergency calls did not go through")
    assert grave["severity"] == 5 > plain["severity"]
    assert {"cue.safety", "cue.many_affected", "category.network"} <= set(grave["severity_reasons"])
    assert one("Thank you so much, well done")["severity"] == 1


def test_coordinates_come_before_a_declared_place_and_that_before_the_text() -> None:
    text = "no network in Kano"
    kano = {"region": "NG-KN", "region_method": "text_mention"}
    assert kano.items() <= one(text).items()
    declared = one(text, place="Yaba, Lagos")
    assert (declared["region"], declared["region_method"]) == ("NG-LA", "declared_place")
    located = one(text, place="Yaba, Lagos", latitude=4.80, longitude=7.02)
    assert (located["region"], located["region_method"]) == ("NG-RI", "coordinates")
    assert declared["region_confidence"] < located["region_confidence"]


def test_places_abroad_two_regions_and_plain_words_decide_nothing() -> None:
    assert one("no network", latitude=51.5, longitude=-0.1)["region"] is None
    assert one("The road from Lagos to Kano has no network")["region"] is None
    assert one("please share the delta of my bill with me")["region"] is None
    assert one("Delta of my bill, please")["region"] is None, "a capital alone is no place where it is a word too"
    assert one("no network in Delta")["region"] == "NG-DE"
    assert place.declared("Springfield", place.gazetteer(RULES.places)).region is None


@given(st.lists(st.one_of(st.none(), st.text(max_size=60)), max_size=8))
@settings(max_examples=40, deadline=None)
def test_whatever_is_written_gives_valid_rows_that_depend_on_themselves_alone(texts: list[str | None]) -> None:
    rows = [{"text": None if t is None else t.encode(errors="replace").decode()} for t in texts]
    together = enrich(complaints(*rows), RULES)
    assert not breaches(EnrichedComplaints, together)
    assert together.schema == arrow_schema(EnrichedComplaints)
    alone = [enrich(complaints(*rows).slice(n, 1), RULES).to_pylist()[0] for n in range(len(rows))]
    assert together.to_pylist() == alone


def test_a_mistake_in_a_rule_file_names_file_and_rule(tmp_path: Any) -> None:
    for file in BUILT_IN.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    assert compile_rules(tmp_path, "NG").version == RULES.version
    classes = tmp_path / "classes.yaml"
    good = classes.read_text(encoding="utf-8")
    classes.write_text(good.replace("- id: demand\n", "- id: demand\n    wieght: 3\n"), encoding="utf-8")
    with pytest.raises(TaxonomyError, match=r"classes\.yaml.*wieght"):
        compile_rules(tmp_path, "NG")
    classes.write_text(good + "\n# a remark\n", encoding="utf-8")
    assert compile_rules(tmp_path, "NG").version != RULES.version, "no change goes unnoticed"


def test_a_rule_counts_only_in_its_languages(tmp_path: Any) -> None:
    for file in BUILT_IN.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    classes = tmp_path / "classes.yaml"
    text = classes.read_text(encoding="utf-8")
    rule = "  - id: only_pidgin\n    languages: [pcm]\n    any: [zobo]\n  - id: told_us\n"
    classes.write_text(text.replace("  - id: told_us\n", rule), encoding="utf-8")
    texts = ["Abeg wetin dey happen, una zobo no dey", "My zobo has been down since this morning and I need it"]
    found = enrich(complaints(*({"text": text} for text in texts)), compile_rules(tmp_path, "NG")).to_pylist()
    assert [row["language"] for row in found] == ["pcm", "en"]
    assert ["class.complaint.only_pidgin" in row["rule_ids"] for row in found] == [True, False]
    told = [{span["rule"]: span for span in json.loads(row["evidence"])} for row in found]
    span = told[0]["class.complaint.only_pidgin"]
    assert texts[0][span["start"] : span["end"]] == "zobo"
    assert "class.complaint.only_pidgin" not in told[1]


def test_a_missing_position_is_no_place_and_a_post_code_is_one() -> None:
    for missing in ((-1.0, -1.0), (0.0, 0.0)):
        assert one("no network", latitude=missing[0], longitude=missing[1])["region"] is None
    coded = one("no network", place="12 Sample Close 500101")
    assert (coded["region"], coded["region_method"]) == ("NG-RI", "post_code")
    assert one("I paid 500101 naira")["region"] is None, "a number in a text is no post code"


def test_each_row_has_the_nearest_town_whoever_stands_beside_it() -> None:
    positions = [(6.45, 3.40), (None, None), (12.0, 8.52), (51.5, -0.1), (4.8, 7.02), (6.45, 3.40)]
    rows = [{"text": "no network", "latitude": lat, "longitude": lon} for lat, lon in positions]
    regions = enrich(complaints(*rows), RULES)["region"].to_pylist()
    assert regions == ["NG-LA", None, "NG-KN", None, "NG-RI", "NG-LA"]


def test_a_repeat_raises_the_severity_and_is_named_as_the_reason() -> None:
    table = enrich(complaints({"text": "The network is bad in my room"}, {"text": "Thank you so much"}), RULES)
    before = table.to_pylist()
    again = with_repeats(table, pa.chunked_array([["0" * 26, None]]), RULES).to_pylist()
    assert again[0]["severity"] == before[0]["severity"] + 1
    assert set(again[0]["severity_reasons"]) - set(before[0]["severity_reasons"]) == {"repeat"}
    assert again[1] == before[1]


def test_no_complaints_about_the_network_is_no_complaint() -> None:
    row = one("No complaints about the network, it is very good")
    assert (row["category"], row["contact_class"]) == ("network", "praise")


def test_masked_words_break_no_rule() -> None:
    row = one("Hello [name], my line [phone] has no network since [date], please call me back on [phone]")
    assert (row["category"], row["language"]) == ("network", "en")


def test_cutting_among_processes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = complaints(*({"text": f"No network in Yaba for {n} days, call me"} for n in range(50)))
    monkeypatch.setattr(spread, "WORTH_PROCESSES", 10)
    monkeypatch.setattr(spread, "PIECE", 20)
    monkeypatch.setattr(spread, "cores", lambda: 2)
    assert spread.enrich_spread(rows, RULES).equals(enrich(rows, RULES))
