"""Rows: erasure and retention killed while they take bytes out of the raw lake."""

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from complaint_assets_tests.faults.kills import KILLED, of_kind
from complaint_assets_tests.faults.lab import run
from complaint_assets_tests.faults.table import Result, row

SLOT = "2026-09-01T06"
HERS, NAME = b"one\nhers\ntwo\n", "hers.jsonl"
CONTENTS = {"other.jsonl": b"another\n", NAME: HERS}


def stand(place: str) -> None:
    """A lake with two objects in a slot."""
    from resources.lake import Lake

    lake = Lake(place)
    for name, content in CONTENTS.items():
        lake.land("sms", "gateway", SLOT, name, datetime(2026, 9, 1, 6, tzinfo=UTC), io.BytesIO(content))
    lake.seal("sms", SLOT)


def hers(lake: Any) -> Any:
    """Her object as a removal would find it."""
    sealed = lake.seal("sms", SLOT) if SLOT in lake.unsealed("sms") else lake.manifest("sms", SLOT)
    wanted = hashlib.sha256(HERS).hexdigest()
    return next((item for item in sealed.objects if item.sha256 == wanted and not item.flags), None)


def cut(lake: Any, item: Any) -> None:
    lake.replace(item, b"one\ntwo\n", item.name)


def remove(lake: Any, item: Any) -> None:
    lake.replace(item, b"", item.name)


def rename(lake: Any, item: Any) -> None:
    if item.name == NAME:  # the bytes stay, a name that tells of her goes
        lake.replace(item, HERS, "renamed.jsonl")


def retire(lake: Any, item: Any) -> None:
    lake.retire(item)


REMOVALS = {"cut": cut, "remove": remove, "rename": rename, "retire": retire}


def removing(place: str, kind: str) -> dict[str, int]:
    """One removal as erasure and retention go about it, with what an earlier one left; failpoints passed."""
    from resources import failpoints
    from resources.lake import Lake

    failpoints.passed.clear()
    lake = Lake(place)
    lake.finish_removals()
    if item := hers(lake):
        REMOVALS[kind](lake, item)
    lake.finish_removals()
    return dict(failpoints.passed)


def damaged(place: str) -> int:
    """Objects that a verification, which also rebuilds what it misses, finds damaged."""
    from resources.lake_verify import verify

    return len(verify(place).damaged)


def state(place: str) -> dict[str, Any]:
    """Digest of all that the lake stores, and in how many places each content stands, former versions included."""
    from resources.object_store import open_store, read

    store = open_store(place)
    wrong = damaged(place)
    stored = {info.key: read(store, info.key) for info in store.list()}
    contents = []
    for _, stream in store.everything():
        with stream:
            contents.append(stream.read())
    return {
        "digest": hashlib.sha256(repr(sorted(stored.items())).encode()).hexdigest(),
        "damaged": wrong,
        "others": sum(data == CONTENTS["other.jsonl"] for data in contents),
        "hers": sum(data == HERS for data in contents),
    }


def calm(place: str, kind: str) -> tuple[dict[str, int], dict[str, Any]]:
    """Failpoints that a removal passes, and what the lake stores after it."""
    run(lambda: stand(place))
    passed = run(lambda: removing(place, kind), failpoint="").value
    return passed, run(lambda: state(place)).value


def kill_removal(result: Result, place: str, kind: str, at: str, expected: dict[str, Any]) -> None:
    """Kill one removal, verify the lake, ask for the removal again, and compare."""
    run(lambda: stand(place))
    killed = run(lambda: removing(place, kind), failpoint=at)
    between = run(lambda: damaged(place)).value
    run(lambda: removing(place, kind))
    found = run(lambda: state(place)).value
    result.lost += found["others"] == 0
    result.digests_differ += found["digest"] != expected["digest"]
    kept = killed.signal == KILLED and found == expected and between == 0
    result.expect(kept, f"{kind} {at}: signal {killed.signal}, {between} damaged, then {found}, not {expected}")


@row(
    "kill-removals",
    "kill -9 at every passage of every failpoint while objects are cut, removed, renamed and retired",
    "the lake verifies; asked again, it stores exactly what it does without the kill: nothing removed comes back, "
    "nothing else is lost",
    trials=0,
    quick=20,
)
def kill_removals(folder: Path, trials: int) -> Result:
    result, wanted = Result(), set(of_kind("replace.", "retire.", "remove.")) - {ON_S3}
    for kind in REMOVALS:
        passed, expected = calm(str(folder / kind), kind)
        places = [f"{name}:{nth}" for name, times in sorted(passed.items()) for nth in range(1, times + 1)]
        wanted -= passed.keys()
        for at in places[:: max(1, len(places) * len(REMOVALS) // trials)] if trials else places:
            kill_removal(result, str(folder / f"{kind}-{at}"), kind, at, expected)
    result.problems += [f"{name} is never passed" for name in sorted(wanted)]
    return result


ON_S3 = "remove.version_deleted"
"""A folder keeps no versions: the row of S3 passes this one."""
