"""Merge and repeat links of a million deliveries against plain pandas.

``python -m benchmarks.deduplicate [--rows N]``.

Deliveries of a month: 7 % are redeliveries, customers write three times on average, two in a hundred name two
identifiers. Each side runs in a process of its own that reads the same file, in turns; the numbers of complaints
and deliveries must be equal, and the baseline, which knows no likeness of words, must not find more repeats.
Bars for a million rows on two cores: 10 seconds (20 CPU-seconds), 2 GB at the peak.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from complaint_assets.logic.complaints.deduplicate import merge_deliveries
from complaint_assets.logic.complaints.links import CONTACT, link_repeats
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.schemas.standardised import Standardised
from complaint_assets.schemas.types import arrow_schema

SCHEMA = arrow_schema(Standardised)
CATEGORIES = np.array(["network", "billing", "data", "voice", "sms", "care", "other"])
WORDS = ["network", "down", "lekki", "data", "finished", "drops", "slow", "help", "bill", "charged", "twice"]


def pseudonyms(kind: str, numbers: np.ndarray) -> pa.Array:
    return pa.array([f"{kind}{number:025d}" for number in numbers])


def deliveries(rows: int) -> pa.Table:
    """``rows`` deliveries in the columns of ``Standardised``."""
    rng = np.random.default_rng(1)
    events = int(rows / 1.07)
    event = np.concatenate([np.arange(events), rng.integers(0, events, rows - events)])
    rng.shuffle(event)
    customer = rng.integers(0, events // 3, events)[event]
    start = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
    month = 30 * 86400
    utc = SCHEMA.field("occurred_at").type
    occurred = pa.array((start + rng.integers(0, month, events)[event]) * 10**6, utc)
    texts = pa.array([" ".join(rng.choice(WORDS, 14)) for _ in range(20_000)])
    phones, mails = pseudonyms("p", customer), pseudonyms("m", customer)
    both = pc.binary_join_element_wise(
        pc.binary_join_element_wise("email", mails, ":"), pc.binary_join_element_wise("phone", phones, ":"), ","
    )
    refs = pc.if_else(pa.array(event % 50 == 0), pc.split_pattern(both, ","), pa.scalar([], pa.list_(pa.string())))
    alike: dict[str, Any] = {
        "channel": "sms",
        "source": "gateway",
        "record_version": 0,
        "slot": "2026-11-01T12",
        "arrival_date": date(2026, 11, 1),
        "object_sha256": "0" * 64,
        "byte_length": 200,
        "occurred_at_quality": "exact",
        "is_amplification": False,
        "place": "Lekki, Lagos",
        "attributes": '{"network":"x","smsCount":1,"to":"300"}',
        "quality_flags": [],
        "contract_version": "1",
    }
    columns = {
        "delivery_id": pseudonyms("d", np.arange(rows)),
        "complaint_id": pseudonyms("c", event),
        "source_record_id": pa.array([f"id-{number}" for number in event]),
        "byte_offset": pa.array(np.arange(rows)),
        "received_at": pa.array((start + month + rng.integers(0, month, rows)) * 10**6, utc),
        "occurred_at": occurred,
        "event_date": occurred.cast(pa.date32()),
        "author_ref": phones,
        "subject_refs": refs,
        "text": texts.take(pa.array(event % 20_000)),
        "content_key": pseudonyms("k", event % 20_000),
    }
    return pa.table(
        [
            columns[field.name]
            if field.name in columns
            else pa.repeat(pa.scalar(alike.get(field.name), field.type), rows)
            for field in SCHEMA
        ],
        schema=SCHEMA,
    )


def category(ids: pa.ChunkedArray) -> pa.Array:
    """A category for each complaint, from its id alone."""
    numbers = pc.cast(pc.utf8_slice_codeunits(ids, 1), pa.int64()).to_numpy()
    return pa.array(CATEGORIES[numbers * 7919 % 104_729 % len(CATEGORIES)])


def ours(file: Path) -> dict[str, Any]:
    complaints = evaluate(merge_deliveries, pq.read_table(file, schema=SCHEMA))
    contacts = complaints.select([name for name in CONTACT if name != "category"])
    contacts = contacts.append_column("category", category(complaints["complaint_id"])).select(CONTACT)
    return figures(complaints.num_rows, complaints["deliveries"], link_repeats(contacts)["repeat_of"])


def plain(file: Path) -> dict[str, Any]:
    """What a pandas user would write: the newest row of each event, extremes beside it, the contact before."""
    frame = pd.read_parquet(file).sort_values(["record_version", "received_at", "delivery_id"])
    groups = frame.groupby("complaint_id", sort=False)
    newest = frame.drop_duplicates("complaint_id", keep="last").set_index("complaint_id")
    complaints = newest.join(
        groups.agg(
            deliveries=("delivery_id", "nunique"),
            first_occurred=("occurred_at", "min"),
            first_received=("received_at", "min"),
            last_received=("received_at", "max"),
            feeds=("feed", lambda feeds: sorted(set(feeds.dropna()))),
            subject_id=("author_ref", "min"),
        )
    ).reset_index()
    complaints["category"] = category(pa.chunked_array([pa.array(complaints["complaint_id"])])).to_pandas()
    ordered = complaints.sort_values(["first_occurred", "complaint_id"])
    before = ordered.groupby(["subject_id", "category"])[["complaint_id", "first_occurred"]].shift()
    recent = ordered["first_occurred"] - before["first_occurred"] <= pd.Timedelta(hours=24)
    return figures(len(complaints), complaints["deliveries"], before.loc[recent, "complaint_id"])


def figures(complaints: int, counts: Any, repeats: Any) -> dict[str, Any]:
    return {"complaints": complaints, "deliveries": int(np.sum(counts)), "repeats": len(repeats)}


def measured(side: str, file: Path) -> dict[str, Any]:
    """What ``side`` made of ``file`` and what that took, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{Path(__file__).stem}", "--side", side, "--file", file],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--side", choices=("ours", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        wall, cpu = time.perf_counter(), time.process_time()
        found = {"ours": ours, "plain": plain}[asked.side](asked.file)
        found |= {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(found | {"peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "deliveries.parquet"
        pq.write_table(deliveries(asked.rows), file)
        runs = [(side, measured(side, file)) for _ in range(asked.rounds) for side in ("plain", "ours")]
    best = {side: min((run for name, run in runs if name == side), key=lambda run: run["cpu"]) for side, _ in runs}
    mine, theirs = best["ours"], best["plain"]
    assert (mine["complaints"], mine["deliveries"]) == (theirs["complaints"], theirs["deliveries"])
    assert mine["repeats"] >= theirs["repeats"], "same-category links are a part of all links"
    for side, run in best.items():
        print(f"{side:6} {run['cpu']:6.1f} s CPU {run['wall']:6.1f} s wall {run['peak_gb']:5.2f} GB peak  {run}")
    print(f"{asked.rows:,} rows: {theirs['cpu'] / mine['cpu']:.1f} times plain pandas by CPU")


if __name__ == "__main__":
    main()
