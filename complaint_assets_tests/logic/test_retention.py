"""The retention policy: what it must say, and what it decides."""

import copy
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.privacy.retention import (
    DATA_CLASSES,
    Kept,
    Policy,
    due,
    object_ends,
    policy_of,
    whole_groups,
)
from complaint_assets.retention import BUILT_IN, PolicyError, load_policy

NG: dict[str, Any] = yaml.safe_load((BUILT_IN / "ng.yaml").read_text())
NOW = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)


def changed(change: Callable[[dict[str, dict[str, Any]]], object]) -> dict[str, Any]:
    data = copy.deepcopy(NG)
    change({rule["data_class"]: rule for rule in data["rules"]})
    return data


def test_the_built_in_policy_of_nigeria_says_what_the_law_is_read_to_say() -> None:
    policy = load_policy("NG")
    days = {name: policy.days(name) for name in DATA_CLASSES}
    assert (days["raw"], days["facts"], days["quarantine"], days["logs"]) == (180, 730, 30, 90)
    assert policy.rules["raw"].clock == "resolved"
    assert policy.rules["facts"].min_days == 730
    assert days["aggregates"] is days["audit"] is None


def test_a_country_without_a_policy_gets_the_default_and_it_keeps_nothing_longer() -> None:
    default, nigeria = load_policy("GB"), load_policy("NG")
    assert default.jurisdiction == "default"
    for name in DATA_CLASSES:
        mine, theirs = default.days(name), nigeria.days(name)
        assert mine == theirs if theirs is None else (mine is not None and mine <= theirs)


WRONG: dict[str, tuple[Callable[[dict[str, dict[str, Any]]], object], str]] = {
    "min_above_max": (lambda rules: rules["facts"].update(min_days=731), "min_days 731 is above max_days 730"),
    "unknown_class": (lambda rules: rules["logs"].update(data_class="diaries"), "diaries"),
    "delete_without_end": (lambda rules: rules["raw"].pop("max_days"), "max_days goes with every action but keep"),
    "keep_with_end": (lambda rules: rules["audit"].update(max_days=9), "max_days goes with every action but keep"),
    "quarantine_outlives_raw": (
        lambda rules: rules["quarantine"].update(max_days=181),
        "quarantine cannot be kept",
    ),
    "features_end_first": (lambda rules: rules["features"].update(max_days=700), "facts cannot be kept longer"),
    "impossible_action": (lambda rules: rules["facts"].update(action="mask"), "mask is not possible"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_policy_that_contradicts_itself_is_refused(name: str, tmp_path: Path) -> None:
    change, message = WRONG[name]
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(changed(change), default_flow_style=False))
    with pytest.raises(PolicyError, match=message) as refusal:
        load_policy("NG", file)
    assert str(file) in str(refusal.value)


@pytest.mark.parametrize("name", DATA_CLASSES)
def test_a_class_without_a_rule_is_refused(name: str) -> None:
    data = copy.deepcopy(NG)
    data["rules"] = [rule for rule in data["rules"] if rule["data_class"] != name]
    with pytest.raises(ValueError, match=f"no rule for {name}"):
        policy_of(data)


def test_a_policy_of_another_country_is_refused() -> None:
    with pytest.raises(PolicyError, match="jurisdiction: NG is not KE"):
        load_policy("KE", BUILT_IN / "ng.yaml")


def test_data_with_two_purposes_stay_until_the_last_one_ends() -> None:
    data = copy.deepcopy(NG)
    facts = next(rule for rule in data["rules"] if rule["data_class"] == "facts")
    data["rules"].append({**facts, "purpose": "dispute", "min_days": 0, "max_days": 100})
    assert policy_of(data).days("facts") == 730


def test_a_contract_shortens_the_words_of_its_source_but_never_below_the_minimum() -> None:
    policy = policy_of(changed(lambda rules: rules["complaint_text"].update(min_days=400)))
    assert policy.days("standardised_text", 365) == 365
    assert policy.days("standardised_text", 9999) == 730
    assert policy.days("complaint_text", 365) == 400
    assert policy.days("facts", 365) == 730


def test_every_built_in_contract_agrees_with_the_policy() -> None:
    policy = load_policy("NG")
    for contract in load_contracts().values():
        for name in ("raw", "standardised_text", "complaint_text"):
            assert policy.rules[name].min_days <= contract.retention_days


def kept(key: str = "a", age: int | None = 400, **more: Any) -> Kept:
    since = None if age is None else NOW - age * DAY
    base: dict[str, Any] = {"channel": "sms", "source": "gateway", "event_dates": (), "rows": 1}
    return Kept(key=key, since=since, **{**base, **more})


def held_by(**hold: Any) -> Policy:
    return policy_of({**copy.deepcopy(NG), "holds": [{"reason": "file 1", **hold}]})


def test_what_is_kept_long_enough_goes_on_that_day_and_not_before() -> None:
    policy = load_policy("NG")
    found = [kept("a", 179), kept("b", 180), kept("c", 181), kept("d", None)]
    assert [one.key for one in due(policy, "raw", found, NOW).go] == ["b", "c"]
    assert due(policy, "audit", found, NOW).go == ()


SUBJECT = "0" * 32


@pytest.mark.parametrize(
    ("hold", "stays"),
    [
        ({"subject": SUBJECT}, True),
        ({"subject": "1" * 32}, False),
        ({"channel": "sms"}, True),
        ({"channel": "social"}, False),
        ({"source": "sms/gateway"}, True),
        ({"source": "sms/other"}, False),
        ({"from": "2025-01-05", "to": "2025-01-09"}, True),
        ({"from": "2025-01-06", "to": "2025-01-09"}, False),
        ({"channel": "sms", "from": "2025-01-01", "to": "2025-01-31"}, True),
        ({"channel": "social", "from": "2025-01-01", "to": "2025-01-31"}, False),
    ],
)
def test_nothing_under_legal_hold_goes(hold: dict[str, Any], stays: bool) -> None:
    one = kept(event_dates=(date(2025, 1, 5),), subjects=frozenset({SUBJECT}))
    found = due(held_by(**hold), "raw", [one], NOW)
    assert (found.go, found.held) == ((), (one,)) if stays else ((one,), ())


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.booleans()), unique_by=lambda t: t[:2]
    )
)
def test_a_date_goes_only_if_every_source_of_it_goes(parts: list[tuple[str, str, bool]]) -> None:
    every = [kept(key, source=source) for key, source, _ in parts]
    go = [kept(key, source=source) for key, source, goes in parts if goes]
    expected = {key for key, _, _ in parts if all(goes for other, _, goes in parts if other == key)}
    assert whole_groups(go, every) == expected


def test_the_clock_of_an_object_starts_when_its_last_matter_ends() -> None:
    """Closed in another delivery; open; closed before it arrived; a source that does not say.

    The same bytes from another source are an object of its own.
    """
    arrived = datetime(2026, 1, 10, tzinfo=UTC)
    closed = datetime(2026, 2, 1, tzinfo=UTC)
    earlier = datetime(2025, 12, 1, tzinfo=UTC)
    times = pa.timestamp("us", tz="UTC")
    deliveries = pa.table(
        {
            "source": ["a", "a", "a", "a", "a", "b"],
            "object_sha256": ["closed", "closed", "open", "before", "silent", "closed"],
            "complaint_id": ["c1", "c2", "c3", "c4", "c5", "c3"],
            "received_at": pa.array([arrived] * 6, times),
            "resolution_status": ["open", None, "open", "closed", None, "open"],
        }
    )
    complaints = pa.table(
        {
            "complaint_id": ["c1", "c2", "c3", "c4", "c5"],
            "resolution_status": ["closed", None, "open", "closed", None],
            "resolved_at": pa.array([closed, None, None, earlier, None], times),
        }
    )
    found: ibis.Table = evaluate(object_ends, deliveries, complaints)
    rows = found.to_pylist()
    ends = {(row["source"], row["object_sha256"]): (row["ended_at"], row["is_open"]) for row in rows}
    assert ends == {
        ("a", "closed"): (closed, False),
        ("a", "open"): (arrived, True),
        ("a", "before"): (arrived, False),
        ("a", "silent"): (arrived, False),
        ("b", "closed"): (arrived, True),
    }
