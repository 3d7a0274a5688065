"""Rules in texts: every hit that a plain regular expression finds, with its exact place."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plain_enrichment import folded, pipeline, searcher
from benchmarks.traffic import complaints
from complaint_assets.logic.enriched.enrich import enrich, read
from complaint_assets.logic.enriched.matcher import Matcher, fold, matcher
from complaint_assets.logic.enriched.rules import Rule, phrase_pattern, regex_pattern
from complaint_assets.taxonomy import load_rules
from complaint_assets.taxonomy.check import realisations

RULES = load_rules("NG")
PHRASES = [
    sentence for rule in RULES.every() for pattern in rule.patterns for sentence in list(realisations(pattern))[:2]
]
FILLERS = [
    "not",
    "never",
    "the",
    "I",
    "can't",
    "-",
    ".",
    "!",
    "?",
    " ",
    "\u00a0",
    "don’t",
    "É",
    "😀",
    "3",
    "x_",
    "[phone]",
]


def spans(rule: Rule, text: str) -> list[str]:
    """What of ``text`` is evidence of ``rule``."""
    return [text[hit.start : hit.end] for hit in Matcher([rule]).hits(fold(pa.array([text]))[0].as_py())]


def rule(*phrases: str, **conditions: Any) -> Rule:
    return Rule("r", tuple(map(phrase_pattern, phrases)), **conditions)


@given(st.lists(st.one_of(st.sampled_from(PHRASES), st.sampled_from(FILLERS), st.text(max_size=4)), max_size=9))
@settings(max_examples=300, deadline=None)
def test_the_matcher_finds_what_python_finds_rule_by_rule(parts: list[str]) -> None:
    text = " ".join(parts).encode(errors="replace").decode()
    want = searcher(RULES)(folded(text))
    found = matcher(RULES).hits(fold(pa.array([text]))[0].as_py())
    assert [(hit.start, hit.end, hit.rule) for hit in found] == want


def test_the_whole_enrichment_equals_a_plain_pipeline() -> None:
    table = next(complaints(300))
    frame = pipeline(RULES)(table.to_pandas())
    found = enrich(table, RULES)
    want = pa.Table.from_pandas(
        frame, schema=pa.schema([found.schema.field(name) for name in frame.columns]), preserve_index=False
    )
    assert found.select(want.column_names).equals(want)


def test_a_phrase_says_what_may_stand_between_its_words() -> None:
    assert spans(rule("call .. dropped"), "My call was again dropped") == ["call was again dropped"]
    assert spans(rule("call .. dropped"), "My call and then two more dropped") == []
    assert spans(rule("call ..6 dropped"), "My call and then two more dropped") == [
        "call and then two more dropped"
    ]
    assert spans(rule("call .. dropped"), "I called. Call. Dropped") == [], "never across sentences"
    assert spans(rule("recharg* # naira"), "RECHARGED 1,500 naira") == ["RECHARGED 1,500 naira"]
    assert spans(rule("can't to? log"), "cant log, can’t to log") == ["cant log", "can’t to log"]
    assert spans(rule("sim"), "simple esim sim-card SIM") == ["sim", "SIM"], (
        "whole words, and a hyphen parts words"
    )


def test_negation_is_looked_for_up_to_three_words_before() -> None:
    careful = rule("fraud", unless_negated=True)
    assert spans(careful, "this is not a fraud") == spans(careful, "never any real fraud") == []
    assert spans(careful, "not only fraud") == ["fraud"]
    assert spans(careful, "it is not what you think it is, fraud") == ["fraud"]


@pytest.mark.parametrize("regex", ["(a+)+", "a*", "(?<=a)b", r"(a)\1", "(ab){2}", "a{3,}", "(", "b?", r"\b"])
def test_what_could_take_more_than_linear_time_or_finds_nothing_is_refused(regex: str) -> None:
    with pytest.raises(ValueError):
        regex_pattern(regex)


@pytest.mark.parametrize("phrase", [".. no", "no ..", "no? way", "no .. way?", "naïve", "a  b", "a .. ..4 b", ""])
def test_a_phrase_that_cannot_be_meant_is_refused(phrase: str) -> None:
    with pytest.raises(ValueError):
        phrase_pattern(phrase)


def test_a_rule_counts_only_in_its_channels() -> None:
    table = next(complaints(40)).slice(0, 2)
    same = pa.array(["Cust complains about the tariff"] * 2)
    table = table.set_column(table.schema.get_field_index("text"), "text", same)
    table = table.set_column(table.schema.get_field_index("channel"), "channel", pa.array(["sms", "call_centre"]))
    fired = [set(row) for row in read(table, RULES)["rule_ids"].to_pylist()]
    assert fired[1] - fired[0] == {"class.complaint.told_us"}
    evidence = [{item["rule"] for item in json.loads(text)} for text in read(table, RULES)["evidence"].to_pylist()]
    assert "class.complaint.told_us" in evidence[1] - evidence[0]
