"""Surge metrics of a simulated company, as the assets would make them."""

import numpy as np

from complaint_assets.logic.surges.baseline import HISTORY_HOURS, fit
from complaint_assets.logic.surges.counts import Cube

from .company import CATEGORIES, CHANNELS, HISTORY_WEEKS, REGIONS, Company

FIRST_DAYS = 14
"""Days that no expectation is made for: there is no history yet."""


def measured(made: Company, *, refit_days: int = 1) -> Cube:
    """``subjects``, ``expected`` and ``variance`` by the hour from the end of the first two weeks on.

    Args:
        made: the company.
        refit_days: how often the baseline is learnt after the history; within it once a week, to save time.
    """
    hourly = made.hourly.astype(float)
    days = hourly.shape[1] // 24
    known = np.ones(len(hourly), dtype=bool)
    expected, variance = np.zeros(hourly.shape), np.zeros(hourly.shape)
    history = HISTORY_WEEKS * 7
    plan = [(day, 7) for day in range(FIRST_DAYS, history, 7)]
    plan += [(day, refit_days) for day in range(history, days, refit_days)]
    for day, length in plan:
        past = np.zeros((len(hourly), HISTORY_HOURS))
        first = max(day * 24 - HISTORY_HOURS, 0)
        past[:, HISTORY_HOURS - (day * 24 - first) :] = hourly[:, first : day * 24]
        baseline = fit(past, known, *made.codes)
        at = slice(day * 24, min((day + length), days) * 24)
        expected[:, at] = baseline.expected(HISTORY_HOURS, at.stop - at.start)
        variance[:, at] = baseline.variance(expected[:, at])
    measures = {"subjects": hourly, "expected": expected, "variance": variance}
    return Cube(
        (CHANNELS, CATEGORIES, REGIONS), made.codes, {k: v[:, FIRST_DAYS * 24 :] for k, v in measures.items()}
    )
