"""What a report may be told: every frame, with figures that are all different."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from complaint_assets.logic.marts.roles import Role
from complaint_assets.logic.report import ReportData, report
from complaint_assets.logic.report.data import FRAMES, Tile
from complaint_assets.metrics import load_metrics
from complaint_assets.roles import load_roles

AS_OF = datetime(2026, 11, 23, 14, 20, tzinfo=UTC)
NEWEST = datetime(2026, 11, 23, 13, tzinfo=UTC)
METRICS = load_metrics()
ROLES = load_roles().roles
HOUR = timedelta(hours=1)


def volume(step: timedelta = HOUR, rows: int = 30) -> pd.DataFrame:
    """Counts that are all different, so that a mix-up of columns or rows shows."""
    return pd.DataFrame(
        {
            "start": [NEWEST - step * (rows - 1 - i) for i in range(rows)],
            "complaints": [2000 + i for i in range(rows)],
            "complainants": [1000 + i for i in range(rows)],
            "expected": [None if i < 3 else 900.0 + i for i in range(rows)],
            "lower_05": [None if i < 3 else 800.0 + i for i in range(rows)],
            "upper_95": [None if i < 3 else 1010.5 for i in range(rows)],
        }
    )


def surge(**values: Any) -> dict[str, Any]:
    return {
        "surge_id": "a" * 26,
        "status": "open",
        "severity": "SEV2",
        "channel": None,
        "category": "no_signal",
        "region": "NG-LA",
        "started_at": NEWEST - timedelta(hours=4),
        "detected_at": NEWEST - timedelta(hours=3),
        "last_hour_at": NEWEST,
        "peak_at": NEWEST,
        "resolved_at": None,
        "observed": 412,
        "expected": 61.26,
        "lower_90": 50.0,
        "upper_95": 72.0,
        "excess": 350.7,
        "ratio": 6.72,
        "score": 40.0,
        "movers": json.dumps({"channel": [{"name": "sms", "observed": 300, "expected": 20.04}], "region": []}),
        "phrases": ["no bars", "mast"],
        "explanation": "412 complainants where 61 were expected.",
        "owner": None,
        **values,
    }


def tile(name: str, current: float | None, previous: float | None, **beside: float | None) -> Tile:
    course = [None, *(float(n) for n in range(1, 6))]
    return Tile(METRICS[name], current, previous, course, [(METRICS[one], n) for one, n in beside.items()])


TILES = [
    tile("complaints", 1500, 1000),
    tile("complainants", 1200, 1600),
    tile("negative_share", 0.6, 0.5, with_sentiment=1000, sentiment_coverage=0.67),
    tile("median_hours_to_resolve", 12.5, None),
]
STARTS = [NEWEST - (5 - n) * HOUR for n in range(6)]


def rows(*columns: str) -> Any:
    """A frame of ``columns``, of the rows that are called next."""
    return lambda *values: pd.DataFrame(values, columns=list(columns))


BOTH = ("current", "previous", "people")
GIVEN: dict[str, pd.DataFrame] = {
    "freshness": rows("channel", "newest", "stale_after_hours")(
        ("sms", AS_OF - HOUR, 2.0), ("social", AS_OF - timedelta(minutes=5), 2.0)
    ),
    "surges": pd.DataFrame(
        [
            surge(owner="night shift"),
            surge(surge_id="b" * 26, severity="SEV1", region=None, category="slow_data"),
            surge(surge_id="c" * 26, severity="SEV1", status="resolved", resolved_at=NEWEST),
        ]
    ),
    "volume": volume(),
    "forecast": pd.DataFrame(
        [
            {
                "bucket_start": NEWEST + timedelta(hours=i),
                "category": "all",
                "expected": 20.0 + i,
                "lower_80": 10.0 + i,
                "upper_80": 30.0 + i,
            }
            for i in range(1, 4)
        ]
    ),
    "heat": rows("category", "region", *BOTH)(
        ("no_signal", "NG-LA", 90, 40, 40),
        ("no_signal", "NG-KN", 30, 40, 30),
        ("slow_data", "NG-LA", 7, 0, 7),
        ("slow_data", "NG-KN", 8, 8, 8),
    ),
    "categories": rows("category", *BOTH)(("no_signal", 120, 80, 70), ("slow_data", 15, 8, 8)),
    "regions": rows("region", *BOTH)(("NG-LA", 97, 40, 40), ("NG-KN", 38, 48, 38)),
    "channels": rows("channel", "current", "previous", "share", "share_before")(
        ("sms", 300, 400, 0.2, 0.4), ("social", 1200, 600, 0.8, 0.6)
    ),
    "sentiment": rows("category", "complaints", "with_sentiment", "negative", "positive")(
        ("no_signal", 105, 80, 60, 20), ("slow_data", 20, 20, 0, 0)
    ),
    "severity": rows("category", "severity", "complaints", "people")(
        ("no_signal", 5, 11, 11), ("no_signal", 1, 13, 13), ("slow_data", 4, 16, 16)
    ),
    "languages": rows("language", "complaints", "with_sentiment", "sentiment_coverage")(
        ("en", 80, 80, 1.0), ("pcm", 20, 0, 0.0)
    ),
    "resolution": rows(
        "category", "timed", "resolved_within_limit", "resolved_beyond_limit", "within_limit_share",
        "median_hours_to_resolve", "p80_hours_to_resolve", "limit_hours",
    )(("billing", 40, 10, 30, 0.25, 30.5, 60.0, 24.0), ("network", 20, 19, 1, 0.95, 4.0, 9.0, 72.0)),
    "ageing": rows("age", "current", "previous")(("00-01 d", 5, 10), ("01-03 d", 20, 10)),
    "repeats": rows("category", "attributed", "repeat_rate_7d", "repeat_rate_30d", "reopened", "before")(
        ("billing", 50, 0.2, 0.3, 2, 0.1), ("network", 40, 0.025, 0.05, 1, None)
    ),
    "rate": rows("region", "current", "previous")(("NG-LA", 3.25, 2.5), ("NG-KN", 7.5, 7.5)),
    "terms": rows("term", "subjects", "subjects_before", "score", "week_end")(
        ("esim", 20, 4, 5.5, date(2026, 11, 22)), ("tower", 9, 8, 2.1, date(2026, 11, 22))
    ),
    "months": rows(
        "month", "complaints", "resolved", "resolved_within_limit", "resolved_beyond_limit", "p80_hours_to_resolve"
    )((date(2026, 10, 1), 50, 30, 20, 10, 31.5), (date(2026, 11, 1), 40, 20, 20, 0, 11.0)),
    "restatements": rows("event_date", "restated_on", "contacts", "complaints")(
        (date(2026, 11, 20), date(2026, 11, 22), 12, 9), (date(2026, 11, 19), date(2026, 11, 22), None, None)
    ),
    "agreement": rows("scope", "name", "labels", "agreement", "kappa", "precision", "recall")(
        ("rules", "1.1.0", 200, 0.9, 0.85, None, None), ("category", "billing", 50, None, None, 0.8, 0.7)
    ),
    "arrivals": rows(
        "channel", "deliveries", "duplicates", "median_minutes_to_arrive", "p95_minutes_to_arrive"
    )(("sms", 800, 40, 3.0, 90.0), ("social", 1200, 60, 0.5, 5.0)),
    "quarantine": rows("reason", "records")(("truncated", 12), ("unparseable_time", 34)),
    "conservation": rows(
        "channel", "judged_at", "slots", "slots_pending", "records_in", "complaints", "non_complaints",
        "duplicates", "quarantined", "difference",
    )(("sms", NEWEST, 9, 1, 100, 60, 20, 15, 5, 0), ("social", NEWEST, 8, 0, 50, 30, 10, 5, 5, 0)),
    "changes": rows("at", "action", "former", "version", "reason")(
        ("2026-11-20T10:00:00+00:00", "taxonomy_apply", "1.0.0", "1.1.0", "eSIM complaints have a category")
    ),
    "versions": rows("taxonomy_version", "complaints")(("1.0.0", 5), ("1.1.0", 95)),
    "audit": rows("action", "rows", "newest")(("erase", 2, NEWEST), ("retention", 3, AS_OF - timedelta(days=2))),
}  # fmt: skip


def given(role: str = "operations", **changes: Any) -> ReportData:
    """What the page of ``role`` is told; ``changes`` are fields, or frames by name."""
    frames = {**GIVEN, **{name: value for name, value in changes.items() if name in FRAMES}}
    fields = {name: value for name, value in changes.items() if name not in FRAMES}
    base = ReportData(
        role=ROLES[role],
        made=AS_OF,
        data_until=NEWEST,
        end=NEWEST,
        tiles=TILES,
        starts=STARTS,
        frames=frames,
        provenance=[("Run", "7d0c"), ("Digest of the data", "ab12")],
        lineage="http://127.0.0.1:3000/assets/reports/operations?view=lineage",
        region_names={"NG-LA": "Lagos", "NG-KN": "Kano"},
    )
    return replace(base, **fields)


def page_of(role: str = "operations", **changes: Any) -> str:
    return report(given(role, **changes))


def only(role: str, *sections: str) -> Role:
    """The role with these sections alone."""
    return replace(ROLES[role], report=replace(ROLES[role].report, sections=sections))
