"""Layer surges, the back-test: what the detector would have found of planted outages. Not part of a build."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg
import pandas as pd

from complaint_assets.assets.common import OWNER, WAREHOUSE_POOL, table_metadata
from complaint_assets.assets.surges import METRICS, surge_metrics
from complaint_assets.logic.surges.backtest import Planted, backtest, summary
from complaint_assets.logic.surges.incidents import THRESHOLD, cube_of, quarters_of
from complaint_assets.schemas.surges import SurgeBacktest
from complaint_assets.schemas.types import from_pandas, to_pandas
from resources.warehouse import Warehouse

LEARN_DAYS = 14
"""Measured days before the first judged one: they teach the noise."""
MOST_DAYS = 366


class NothingToReplay(Exception):
    """There are too few measured days."""


@dataclass(frozen=True)
class Tested:
    """A back-test: per size of outage, over all, and by threshold."""

    sizes: list[dict[str, float]]
    figures: dict[str, float]
    planted: Planted

    def curve(self, thresholds: Sequence[float]) -> list[dict[str, float]]:
        """See ``Planted.curve``."""
        return self.planted.curve(thresholds)


def replayed(
    warehouse: Warehouse,
    since: date | None = None,
    until: date | None = None,
    *,
    threshold: float | None = None,
    seed: int = 1,
) -> Tested:
    """The back-test of the measured days from ``since`` to ``until``, by default the newest 12 weeks.

    Raises:
        NothingToReplay: fewer than two weeks and a day are measured in that time.
    """
    with warehouse.session() as session:
        metrics = warehouse.ibis_table(session, "surge_metrics", METRICS)
        known = metrics.filter(metrics.expected.notnull())
        last = until or known.event_date.max().to_pyarrow().as_py()
        first = (since or (last - timedelta(days=84 - 1))) if last else None
        if first is None or last is None:
            raise NothingToReplay("nothing is measured yet: `complaints run` first")
        first = max(first - timedelta(days=LEARN_DAYS), last - timedelta(days=MOST_DAYS))
        rows = known.filter(known.event_date.between(first, last)).to_pyarrow().select(METRICS.names).cast(METRICS)
    days = 0 if not rows.num_rows else len(set(rows["event_date"].to_pylist()))
    if days <= LEARN_DAYS:
        raise NothingToReplay(
            f"{days} days with expectations lie between {first} and {last}; "
            f"a back-test needs more than {LEARN_DAYS}"
        )
    cube, _, _ = cube_of(rows)
    limit = threshold or THRESHOLD
    planted = backtest(cube, quarters_of(cube), first=LEARN_DAYS, threshold=limit, seed=seed)
    sizes = summary(planted.verdicts)
    whole = sizes[-1]
    return Tested(
        sizes,
        {
            "weeks": planted.quiet_weeks,
            "incidents_a_week": len(planted.false) / max(planted.quiet_weeks, 1e-9),
            "threshold": limit,
            "outages": whole["outages"],
            "recall": whole["recall"],
            "mean_delay_hours": whole["mean_delay"],
            "exactly_one": whole["exactly_one"],
            "scope_overlap": whole["overlap"],
        },
        planted,
    )


@dg.asset(
    deps=[surge_metrics],
    group_name="surges",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "none"},
    code_version="1",
    metadata=table_metadata(SurgeBacktest),
    pool=WAREHOUSE_POOL,
    description=(
        "Why to trust an alert: the newest twelve weeks replayed with outages planted in them. Recall by size, "
        "delay, incidents per outage, and incidents a week without them."
    ),
)
def surge_backtest(warehouse: Warehouse) -> dg.MaterializeResult[pd.DataFrame]:
    """Replay and judge; without enough days the table is empty."""
    try:
        tested = replayed(warehouse)
    except NothingToReplay as nothing:
        empty = pd.DataFrame(columns=list(SurgeBacktest.to_schema().columns))
        return dg.MaterializeResult(
            value=to_pandas(from_pandas(empty, SurgeBacktest)), metadata={"why_empty": str(nothing)}
        )
    frame = to_pandas(from_pandas(pd.DataFrame(tested.sizes), SurgeBacktest))
    figures = {name: float(value) for name, value in tested.figures.items() if value == value}
    by_size = {f"recall_{row['size']:g}x": float(row["recall"]) for row in tested.sizes if row["size"]}
    return dg.MaterializeResult(value=frame, metadata={"dagster/row_count": len(frame), **figures, **by_size})
