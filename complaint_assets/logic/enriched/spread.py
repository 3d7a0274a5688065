"""The enrichment spread over the machine's cores.

Most of it is Python between compiled passes, so threads would wait for each other: large batches are cut up
among processes, and come back in order. What is read of a row depends on that row alone, so the cuts do not show.
"""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pyarrow as pa

from complaint_assets.logic.cores import cores

from .enrich import READ, assemble, enrich, read
from .rules import Rules

WORTH_PROCESSES = 100_000
"""Rows from which further processes repay their start-up of some seconds."""
PIECE = 20_000
"""Rows that a process is given at a time."""

_rules: Rules


def enrich_spread(batch: pa.Table, rules: Rules) -> pa.Table:
    """What ``enrich`` makes of ``batch``."""
    if batch.num_rows < WORTH_PROCESSES or cores() == 1:
        return enrich(batch, rules)
    pieces = (batch.slice(start, PIECE) for start in range(0, batch.num_rows, PIECE))
    return pa.concat_tables(enrich_each(pieces, rules))


def enrich_each(batches: Iterable[pa.Table], rules: Rules) -> Iterator[pa.Table]:
    """What ``enrich`` makes of each of ``batches``, in order; few of them are held at once."""
    # Started anew, not forked: the storage libraries hold threads.
    pool = ProcessPoolExecutor(
        cores(), mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(rules,)
    )
    with pool:
        ahead: list[tuple[pa.Table, Future[pa.Table]]] = []
        for batch in batches:
            ahead.append((batch, pool.submit(_read, batch.select(READ))))
            if len(ahead) > cores():
                first, found = ahead.pop(0)
                yield assemble(first, found.result(), rules)
        for first, found in ahead:
            yield assemble(first, found.result(), rules)


def _start(rules: Rules) -> None:
    from . import sentiment_kernel  # noqa: F401  # from here on every piece takes the compiled passes

    global _rules
    _rules = rules


def _read(batch: pa.Table) -> pa.Table:
    # In one thread: the other cores have processes of their own.
    pa.set_cpu_count(1)
    return read(batch, _rules)
