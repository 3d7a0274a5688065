"""The next 24 hours of each category and of all, beside other forecasts, on histories with surges in them.

    python -m benchmarks.surges_forecast [--seeds 2]

Pinball loss over the quantiles 2.5, 10, 50, 90 and 97.5 %, relative to the mean count; coverage of the 80 and
95 % bands. AutoETS is scored if statsforecast is installed (it needs pandas < 3).
"""

import argparse
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from complaint_assets.logic.surges.counts import quantiles
from complaint_assets.logic.surges.forecast import forecast
from complaint_assets.simulator.company import CATEGORIES, CHANNELS, HISTORY_WEEKS, REGIONS, Company, company

Reals = npt.NDArray[np.float64]
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
START = datetime(2026, 6, 1, tzinfo=UTC)
ORIGINS = (0, 3)
"""Days after the history from which is forecast."""


def rows(made: Company, hours: int) -> pa.Table:
    """What the asset counts of the first ``hours``."""
    hourly = made.hourly[:, :hours]
    series, hour = np.nonzero(hourly)
    counts = hourly[series, hour]
    at = pa.array([START + timedelta(hours=int(h)) for h in hour], pa.timestamp("us", tz="UTC"))
    names = [
        np.array(part)[codes[series]]
        for part, codes in zip((CHANNELS, CATEGORIES, REGIONS), made.codes, strict=True)
    ]
    return pa.table(
        {
            "bucket_start": at,
            "channel": names[0],
            "category": names[1],
            "region": names[2],
            "subjects": counts,
            "complaints": counts,
            "amplifications": np.zeros_like(counts),
        }
    )


def ours(made: Company, first: int) -> Reals:
    """[series, hour, level]."""
    found = forecast(rows(made, first), START + timedelta(hours=first)).sort_values(["category", "bucket_start"])
    mid = quantiles(
        (0.5,), found["expected"].to_numpy(dtype=float), found["expected"].to_numpy(dtype=float) * 1.05
    )[0]
    columns = [found[name].to_numpy(dtype=float) for name in ("lower_95", "lower_80", "upper_80", "upper_95")]
    return np.stack([*columns[:2], mid, *columns[2:]], axis=1).reshape(-1, 24, 5)


def seasonal_naive(past: Reals) -> Reals:
    """Last week's hours, and the quantiles of what such forecasts missed before."""
    missed = past[:, 168:] - past[:, :-168]
    return past[:, -168:-144, None] + np.quantile(missed, LEVELS, axis=1).T[:, None, :]


def glm(past: Reals) -> Reals:
    """Quasi-Poisson mean of hour of week, reweighted as Farrington does, and a negative binomial band."""
    weeks = past.reshape(len(past), -1, 168)[:, :, :24]
    weights = np.ones(weeks.shape)
    for _ in range(3):
        mean = np.maximum((weeks * weights).sum(1) / weights.sum(1), 0.05)
        phi = np.maximum(
            (weights * (weeks - mean[:, None]) ** 2 / mean[:, None]).sum((1, 2)) / (weights.sum((1, 2)) - 24), 1.02
        )
        far = (weeks - mean[:, None]) / np.sqrt(phi[:, None, None] * mean[:, None])
        weights = np.where(far > 2.58, 1 / np.maximum(far, 1) ** 2, 1.0)
    return np.stack(quantiles(LEVELS, mean, mean * phi[:, None]), axis=2)


def auto_ets(past: Reals) -> Reals:
    """AutoETS with a daily season on the last four weeks."""
    from statsforecast.models import AutoETS

    out = []
    for values in past[:, -672:]:
        told = AutoETS(season_length=24).forecast(values, h=24, level=[80, 95])
        out.append(np.stack([told[k] for k in ("lo-95", "lo-80", "mean", "hi-80", "hi-95")], axis=1))
    return np.array(out)


def main(seeds: range) -> None:
    methods = {"ours": None, "seasonal naive": seasonal_naive, "Farrington-type GLM": glm}
    if find_spec("statsforecast"):
        methods["AutoETS"] = auto_ets
    else:
        print("statsforecast is not installed: AutoETS is left out (pip install statsforecast)")
    loss, inside = defaultdict(list), defaultdict(list)
    for seed in seeds:
        made = company(seed, weeks=1, events_per_week=0)
        hourly = made.hourly.astype(float)
        series = np.stack([hourly.sum(0), *(hourly[made.codes[1] == c].sum(0) for c in range(len(CATEGORIES)))])
        for day in ORIGINS:
            first = HISTORY_WEEKS * 168 + day * 24
            truth, past = series[:, first : first + 24], series[:, first - HISTORY_WEEKS * 168 : first]
            for name, method in methods.items():
                told = ours(made, first) if method is None else method(past)
                off = truth[:, :, None] - told
                pinball = np.maximum(np.array(LEVELS) * off, (np.array(LEVELS) - 1) * off)
                loss[name].append((pinball.mean(2) / truth.mean(1)[:, None]).mean())
                inside[name].append(
                    [
                        ((truth >= told[:, :, low]) & (truth <= told[:, :, high])).mean()
                        for low, high in ((1, 3), (0, 4))
                    ]
                )
    print(f"{len(seeds) * len(ORIGINS)} days of 9 series\nmethod                pinball/mean  80 %   95 %")
    for name in methods:
        cover = np.mean(inside[name], axis=0)
        print(f"{name:20} {np.mean(loss[name]):12.4f}  {cover[0]:.3f}  {cover[1]:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    main(range(1000, 1000 + parser.parse_args().seeds))
