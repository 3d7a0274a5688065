"""What the next hours should bring, per category and in all, with bands."""

from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from complaint_assets.schemas.surges import SurgeForecast
from complaint_assets.schemas.types import arrow_schema, to_pandas

from .baseline import HISTORY_HOURS, fit
from .counts import (
    Cube,
    Groups,
    extra_dispersion,
    hour_column,
    hour_number,
    midnight,
    quantile,
    rounded,
    shrunk_dispersion,
    usual_dispersion,
)

ALL = "all"
_SCHEMA = arrow_schema(SurgeForecast)


def forecast(counts: pa.Table | pd.DataFrame, as_of: datetime, horizon_hours: int = 24) -> pd.DataFrame:
    """Rows of ``SurgeForecast`` for the ``horizon_hours`` hours from ``as_of`` on; none during warm-up.

    The baseline is that of the surge metrics: the 56 whole days before the day of ``as_of``. Channels that
    have been heard for less than 14 days are left out.

    Args:
        counts: ``hourly_counts`` from 56 days before the day of ``as_of`` on.
        as_of: how far the data reach; the forecast begins with the first hour that starts then or later.
        horizon_hours: number of hours.
    """
    rows = counts if isinstance(counts, pa.Table) else pa.Table.from_pandas(counts, preserve_index=False)
    first = hour_number(midnight(as_of.date())) - HISTORY_HOURS
    cube = Cube.of(rows, ("subjects", "complaints", "amplifications"), first, HISTORY_HOURS)
    subjects = cube.measures["subjects"]
    if not len(subjects):
        return to_pandas(_SCHEMA.empty_table())
    baseline = fit(subjects, np.ones(len(subjects), dtype=bool), *cube.codes)
    ready = np.flatnonzero(baseline.ready)
    if not ready.size:
        return to_pandas(_SCHEMA.empty_table())

    begin = -(-int(as_of.timestamp() * 1_000_000) // 3_600_000_000)
    future = baseline.expected(begin - first, horizon_hours)
    past = baseline.expected(0, HISTORY_HOURS) * baseline.heard
    spreads = baseline.variance(future), baseline.variance(past)
    measures = [values[ready] for values in (subjects * baseline.heard, past, spreads[1], future, spreads[0])]
    parts = []
    for names, groups in (
        ([ALL], Groups(ready.size)),
        (cube.names[1], Groups(ready.size, cube.codes[1][ready])),
    ):
        seen, usual, usual_spread, mean, spread = (groups.sum(values) for values in measures)
        extra = np.zeros(len(seen))
        for _ in range(2):
            cells = extra_dispersion(seen, usual, usual_spread, extra[:, None])
            extra = shrunk_dispersion(
                cells[0].sum(1), cells[1].sum(1), usual_dispersion(), 168 * (usual**2).mean(1)
            )
        mean, variance = rounded(mean), rounded(spread + extra[:, None] * mean**2)
        labels = pa.array(names, pa.string()).take(pa.array(groups.keys[0]))
        size = len(labels)
        parts.append(
            pa.table(
                {
                    "bucket_start": hour_column(np.tile(begin + np.arange(horizon_hours), size)),
                    "category": labels.take(pa.array(np.repeat(np.arange(size), horizon_hours))),
                    "expected": mean.ravel(),
                    **{
                        name: quantile(level, mean, variance).ravel()
                        for name, level in (
                            ("lower_80", 0.1),
                            ("upper_80", 0.9),
                            ("lower_95", 0.025),
                            ("upper_95", 0.975),
                        )
                    },
                },
                schema=_SCHEMA,
            )
        )
    return to_pandas(pa.concat_tables(parts))
