"""A few trials of the cheap rows of the fault table. ``make faults`` runs it whole."""

import json
import subprocess
import sys

import pytest

from complaint_assets_tests.conftest import REPOSITORY
from complaint_assets_tests.faults.kills import failpoints

QUICK = """
import json, sys
from complaint_assets_tests.faults import lab
lab.warm()
import complaint_assets_tests.faults.rows
from complaint_assets_tests.faults.table import ROWS, attempt
found = []
for one in ROWS.values():
    if one.quick:
        with lab.workshop() as folder:
            found.append(attempt(one, folder / "row", one.quick))
print(json.dumps(found))
"""


def test_there_are_at_least_sixty_failpoints_and_each_name_is_used_once() -> None:
    names = failpoints()
    assert len(names) >= 60
    assert len(set(names)) == len(names)


TRIED = (
    *("store", "land", "seal", "s3", "replace", "retire", "remove", "drain", "raw", "vault", "standardised"),
    *("complaints", "enriched", "facts", "metrics", "tables", "ledger", "warehouse", "publish", "report"),
    *("notifier", "classifications", "taxonomy"),
)
"""Kinds of failpoints for which a row goes through all that there are."""


def test_every_kind_of_failpoint_has_a_row_that_kills_there() -> None:
    assert {name.partition(".")[0] for name in failpoints()} == set(TRIED)


def test_a_failpoint_kills_at_the_passage_that_is_named_and_not_in_production() -> None:
    script = "from resources.failpoints import failpoint\nfor n in range(5): failpoint('x'); print(n, flush=True)"

    def printed(**settings: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=REPOSITORY,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.replace("\n", "")

    assert printed(COMPLAINTS_FAILPOINT="x:3") == (-9, "01")
    assert printed(COMPLAINTS_FAILPOINT="y") == (0, "01234")
    assert printed(COMPLAINTS_FAILPOINT="x:3", COMPLAINTS_ENV="prod") == (0, "01234")


def test_the_promises_hold_in_a_few_trials_of_each_cheap_row() -> None:
    # In an interpreter of its own: this one may have touched delta-rs, after which it must not fork.
    done = subprocess.run(
        [sys.executable, "-c", QUICK], cwd=REPOSITORY, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    red = {row["row"]: row["problems"] for row in json.loads(done.stdout) if not row["passed"]}
    if red:
        pytest.fail(str(red))
