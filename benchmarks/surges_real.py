"""Surges in real series: what is found, and beside it what a seasonal median/MAD finds with as many alarms.

    python -m benchmarks.surges_real [--only comcast uk montgomery nab outbreaks]

Reads the folder of real data (COMPLAINTS_REAL_DATA). Times are taken as they are written; matters come from
columns of the files, never from a classifier, so that this judges detection alone. The posts are counted without
reposts. The outbreak series are weekly, which the product does not do: there its score (masked history, windows
of one to three weeks) stands beside EARS and Farrington at equal false-alarm rates.
"""

import argparse
import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from complaint_assets.logic.surges.counts import score
from complaint_assets.logic.surges.incidents import find_surges
from complaint_assets.logic.surges.surge_metrics import surge_metrics

DATA = Path(
    os.environ.get("COMPLAINTS_REAL_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data")
)
Event = tuple[datetime, str, str, str, int]
"""Time, channel, category, region, number."""


def rows_of(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def counted(events: Iterable[Event]) -> pa.Table:
    """As the asset counts them; everybody is a customer of their own."""
    cells: Counter[tuple[datetime, str, str, str, int]] = Counter()
    for at, channel, category, region, number in events:
        cells[at.replace(minute=0, second=0, microsecond=0), channel, category, region, at.minute // 15] += number
    hours: dict[tuple[datetime, str, str, str], list[int]] = {}
    for (at, channel, category, region, quarter), number in cells.items():
        hours.setdefault((at, channel, category, region), [0, 0, 0, 0])[quarter] += number
    columns: dict[str, list[object]] = {n: [] for n in ("bucket_start", "channel", "category", "region")}
    sums: dict[str, list[int]] = {
        n: [] for n in ("by_15", "by_30", "by_45", "subjects", "complaints", "amplifications")
    }
    for key, quarters in sorted(hours.items()):
        for name, value in zip(columns, key, strict=True):
            columns[name].append(value)
        whole = np.cumsum(quarters).tolist()
        for name, number in zip(sums, [*whole, whole[-1], 0], strict=True):
            sums[name].append(number)
    return pa.table({**columns, **sums})


def incidents(events: list[Event]) -> list[dict[str, Any]]:
    """Rows of ``Surges``."""
    counts = counted(events)
    first, last = min(e[0] for e in events).date(), max(e[0] for e in events).date()
    dates = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    end = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
    found = find_surges(surge_metrics(counts, dates, end), lambda text: text)
    return [{str(k): v for k, v in row.items()} for row in found.to_dict("records")]


def show(name: str, events: list[Event], found: list[dict[str, Any]]) -> None:
    days = {row["started_at"].date() for row in found}
    weeks = (max(e[0] for e in events) - min(e[0] for e in events)).days / 7
    print(
        f"\n{name}: {sum(e[4] for e in events)} in {weeks:.1f} weeks; {len(found)} incidents on {len(days)} days"
    )
    for row in found[:12]:
        print(f"  {row['severity']} {row['explanation']}")


def comcast() -> None:
    """The field ``Date``: with slashes month first, with dashes day first."""
    events: list[Event] = []
    for row in rows_of("web_form/comcast_2015_apr_may.csv"):
        date = row["Date"].strip()
        layout = "%m/%d/%Y" if "/" in date else "%d-%m-%y" if len(date.split("-")[-1]) == 2 else "%d-%m-%Y"
        at = datetime.strptime(f"{date} {row['Time'].strip()}", f"{layout} %I:%M:%S %p").replace(tzinfo=UTC)
        events.append((at, "web_form", row["Received_Via"].strip().lower(), row["State"].strip().lower(), 1))
    show("web_form/comcast", events, incidents(events))


def uk_operators() -> None:
    """Posts that are no bare reposts; the same post collected twice counts once."""
    seen, events = set(), []
    for row in rows_of("social/uk_operator_tweets_o2_vodafone.csv"):
        text = re.sub(r"\W+", " ", row["Tweet Text"]).strip().lower()
        key = (row["Tweet Created At"], text)
        if text.startswith("rt ") or key in seen:
            continue
        seen.add(key)
        at = datetime.strptime(row["Tweet Created At"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        events.append((at, "social", row["Mobile Network"].strip().lower(), "unknown", 1))
    show("social/uk_operators without reposts", events, incidents(events))


def montgomery() -> None:
    """Cases by day of opening; the first category that is marked."""
    rows = rows_of("call_centre/montgomery_cable_2013_2018.csv")
    names = list(rows[0])
    matters = names[names.index("Billing") : names.index("Other") + 1]
    events: list[Event] = []
    for row in rows:
        marked = next((name for name in matters if (row[name] or "").strip()), "Other")
        at = datetime.strptime(row["Date of Complaint"].strip(), "%m/%d/%Y").replace(hour=12, tzinfo=UTC)
        if at.year >= 2017:
            events.append((at, "call_centre", marked.lower(), "MD", 1))
    found = incidents(events)
    show("call_centre/montgomery from 2017 on, by the day", events, found)
    beside_median(events, len(found), [])


def beside_median(events: list[Event], alarms: int, windows: list[tuple[datetime, datetime]]) -> None:
    """What the same hour of the week, median and MAD, finds with as many alarms, half a day apart."""
    first = min(e[0] for e in events).replace(minute=0, second=0, hour=0)
    hours = int((max(e[0] for e in events) - first).total_seconds() // 3600) + 1
    counts = np.zeros(hours)
    for at, _, _, _, number in events:
        counts[int((at - first).total_seconds() // 3600)] += number
    scores = np.zeros(hours)
    for hour in range(2 * 168, hours):
        past = counts[hour % 168 : hour : 168][-8:]
        middle = np.median(past)
        spread = max(1.4826 * np.median(np.abs(past - middle)), np.sqrt(max(middle, 0.25)))
        scores[hour] = (counts[hour] - middle) / spread
    taken: list[int] = []
    for hour in np.argsort(-scores, kind="stable"):
        if len(taken) == alarms or scores[hour] <= 0:
            break
        if all(abs(int(hour) - other) > 12 for other in taken):
            taken.append(int(hour))
    times = [first + timedelta(hours=hour + 1) for hour in taken]
    inside = [any(a <= at <= b for a, b in windows) for at in times]
    hit = sum(any(a <= at <= b for at in times) for a, b in windows)
    print(f"  median/MAD with as many alarms: {hit} of {len(windows)} windows, {len(times) - sum(inside)} outside")


def nab() -> None:
    """Counts of posts and of rides, labelled windows of the benchmark; values are divided to hundreds an hour."""
    labels = json.loads((DATA / "truth/nab_windows.json").read_text(encoding="utf-8"))
    for name, per in (("Twitter_volume_AAPL", 10), ("Twitter_volume_FB", 4), ("nyc_taxi", 300)):
        events = []
        for row in rows_of(f"truth/nab_{name}.csv"):
            at = datetime.strptime(row["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            events.append((at, "social", "volume", "unknown", round(float(row["value"]) / per)))
        key = next(k for k in labels if k.endswith(f"{name}.csv"))
        windows = [
            (
                datetime.fromisoformat(begin[:19]).replace(tzinfo=UTC),
                datetime.fromisoformat(end[:19]).replace(tzinfo=UTC),
            )
            for begin, end in labels[key]
        ]
        found = incidents(events)
        at = [row["detected_at"] for row in found]
        hit = sum(any(a <= t <= b for t in at) for a, b in windows)
        outside = sum(not any(a <= t <= b for a, b in windows) for t in at)
        print(f"\nNAB {name}: {hit} of {len(windows)} windows, {outside} of {len(found)} incidents outside")
        beside_median(events, len(found), windows)


def outbreaks() -> None:
    """Weekly counts: outbreaks found at a rate of 2 % false weeks, from the 28th week on."""
    names = ("ours", "EARS C1", "EARS C2", "Farrington-like")
    values: dict[str, list[np.ndarray]] = {name: [] for name in names}
    truth = []
    for path in sorted((DATA / "truth").glob("outbreaks_*.csv")):
        rows = rows_of(f"truth/{path.name}")
        counts = np.array([float(row["observed"]) for row in rows])
        state = np.array([row["state"].strip() in ("1", "TRUE", "true") for row in rows])
        for name in names:
            values[name].append(weekly(name, counts)[27:])
        truth.append(state[27:])
    flags = np.concatenate(truth)
    print(f"\noutbreaks: {len(truth)} weekly series, {int(flags.sum())} weeks of outbreak, at 2 % false weeks")
    for name in names:
        scores = np.concatenate(values[name])
        limit = np.quantile(scores[~flags], 0.98)
        begun = found = 0
        for state, of in zip(truth, values[name], strict=True):
            edges = np.flatnonzero(np.diff(np.concatenate([[0], state.astype(int), [0]])))
            for start, end in list(pairwise(edges))[::2]:
                begun += 1
                found += bool((of[start:end] > limit).any())
        print(f"  {name:16} outbreaks {found} of {begun}; weeks {np.mean(scores[flags] > limit):.2f}")


def weekly(name: str, counts: np.ndarray) -> np.ndarray:
    """A score per week from the year before it."""
    scores, masked = np.zeros(len(counts)), np.zeros(len(counts), dtype=bool)
    for week in range(27, len(counts)):
        if name.startswith("EARS"):
            past = counts[week - 7 - (2 if name.endswith("2") else 0) : week - (2 if name.endswith("2") else 0)]
            scores[week] = (counts[week] - past.mean()) / max(past.std(ddof=1), 0.5)
            continue
        span = np.arange(max(week - 52, 0), week)
        past = counts[span][~masked[span]] if name == "ours" else counts[span]
        weights = np.ones(len(past))
        for _ in range(1 if name == "ours" else 3):
            mean = max((past * weights).sum() / weights.sum(), 0.1)
            phi = max((weights * (past - mean) ** 2).sum() / mean / max(weights.sum() - 1, 1), 1.02)
            far = (past - mean) / np.sqrt(phi * mean)
            weights = np.where(far > 2.58, 1 / np.maximum(far, 1) ** 2, 1.0)
        for window in (1, 2, 3) if name == "ours" else (1,):
            seen, usual = counts[week + 1 - window : week + 1].sum(), mean * window
            value = score(np.array([seen]), np.array([usual]), np.array([usual * phi]))[0]
            scores[week] = max(scores[week], value)
        masked[week] = scores[week] >= 2.5
    return scores


PARTS = {"comcast": comcast, "uk": uk_operators, "montgomery": montgomery, "nab": nab, "outbreaks": outbreaks}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    for part in parser.parse_args().only:
        PARTS[part]()
