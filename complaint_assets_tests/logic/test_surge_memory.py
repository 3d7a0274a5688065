"""A replay that goes on from what is remembered, against one of everything."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from complaint_assets.logic.surges.incidents import READ, first_needed, replay
from complaint_assets.logic.surges.memory import Memory, Resumed
from complaint_assets.logic.surges.noise import MEMORY_DAYS

START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 70
CATEGORIES = ("billing", "network", "speed")
REGIONS = ("NG-KN", "NG-LA", "NG-RI", "unknown")
THRESHOLD = 5.0


def name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:26]


def measured(seed: int) -> pa.Table:
    """Metrics with outages of all sizes, series that appear late or vanish, and a channel that is silent."""
    rng = np.random.default_rng(seed)
    hours = np.arange(DAYS * 24)
    rows: list[dict[str, Any]] = []
    for channel in ("sms", "social"):
        for category in CATEGORIES:
            for region in REGIONS:
                begin, end = 0, DAYS * 24
                if (channel, region) == ("social", "NG-RI"):
                    begin = 40 * 24
                if (category, region) == ("billing", "NG-KN"):
                    end = 5 * 24
                expected = 2 + np.sin(hours * 2 * np.pi / 24)
                seen = rng.poisson(expected * rng.gamma(20, 1 / 20, hours.size))
                for day in range(31, DAYS, 3):  # one outage in three days, some across midnight
                    if (category, region) == (CATEGORIES[day % 3 - 1], REGIONS[day % 4]) or day % 7 == 0:
                        first = day * 24 + 21 - day % 5
                        seen[first : first + 6] += rng.poisson(4 + day % 9, 6)
                for hour in range(begin, end):
                    quarters = rng.multinomial(seen[hour], [0.25] * 4).cumsum()
                    silent = channel == "sms" and 50 * 24 <= hour < 50 * 24 + 9
                    rows.append(
                        {
                            "event_date": (START + timedelta(days=hour // 24)).date(),
                            "bucket_start": START + timedelta(hours=hour),
                            "channel": channel,
                            "category": category,
                            "region": region,
                            "subjects": int(seen[hour]),
                            "expected": float(expected[hour]),
                            "variance": float(expected[hour] + 0.05 * expected[hour] ** 2),
                            **{f"by_{15 * n + 15}": int(quarters[n]) for n in range(3)},
                            "complaints": int(seen[hour]),
                            "amplifications": 0,
                            "source_state": "silent" if silent else "heard",
                        }
                    )
    return pa.Table.from_pylist(rows).select(list(READ))


@pytest.fixture(scope="module")
def metrics() -> pa.Table:
    return measured(3)


def day(number: int) -> date:
    return (START + timedelta(days=number)).date()


def between(metrics: pa.Table, first: date, end: date) -> pa.Table:
    at = metrics["event_date"].to_pylist()
    return metrics.filter(pa.array([first <= d < end for d in at]))


def gone_on(metrics: pa.Table, memories: list[Memory], number: int, end: date) -> list[dict[str, Any]]:
    """All rows, scanned anew from day ``number`` on."""
    past = [Memory.of_bytes(m.to_bytes()) for m in memories[max(number - MEMORY_DAYS, 0) : number]]
    resumed = Resumed(day(0), day(number), past)
    rows, _ = replay(between(metrics, first_needed(resumed), end), name, THRESHOLD, resumed=resumed)
    return [row for memory in memories[:number] for row in memory.told] + rows


def ordered(rows: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: row["surge_id"])


def test_a_replay_that_goes_on_finds_exactly_what_a_replay_of_everything_finds(metrics: pa.Table) -> None:
    whole, memories = replay(metrics, name, THRESHOLD)
    assert len(whole) >= 10
    assert len({row["surge_id"] for row in whole}) == len(whole)
    assert len(memories) == DAYS - 1
    for number in (1, 30, 43, 52, 60, 64, 67, DAYS - 1):
        assert ordered(gone_on(metrics, memories, number, day(DAYS))) == ordered(whole), number


def test_going_on_day_by_day_is_the_same_as_all_at_once(metrics: pa.Table) -> None:
    _, memories = replay(between(metrics, day(0), day(45)), name, THRESHOLD)
    rows: list[dict[str, Any]] = []
    for number in range(45, DAYS + 1):
        resumed = Resumed(day(0), day(len(memories)), memories[-MEMORY_DAYS:])
        part = between(metrics, first_needed(resumed), day(number))
        rows, more = replay(part, name, THRESHOLD, resumed=resumed)
        memories = [*memories, *more]
    told = [row for memory in memories[:-1] for row in memory.told]
    whole, _ = replay(metrics, name, THRESHOLD)
    assert {row["surge_id"]: row for row in [*told, *rows]} == {row["surge_id"]: row for row in whole}


def test_late_data_restate_an_incident_under_the_id_it_had(metrics: pa.Table) -> None:
    whole, memories = replay(metrics, name, THRESHOLD)
    ids = {row["surge_id"] for row in whole}
    late = metrics.to_pylist()
    changed = 61
    for row in late:  # one more complaint per outage hour of a day that had been told
        if row["event_date"] == day(changed) and row["subjects"] > 8:
            for count in ("subjects", "complaints", "by_15", "by_30", "by_45"):
                row[count] += 1
    restated = pa.Table.from_pylist(late, metrics.schema)
    assert restated != metrics
    again = gone_on(restated, memories, changed, day(DAYS))
    assert {row["surge_id"] for row in again} == ids
    assert ordered(again) == ordered(replay(restated, name, THRESHOLD)[0])
    assert ordered(again) != ordered(whole)
