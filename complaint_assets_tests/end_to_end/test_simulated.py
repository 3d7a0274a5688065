"""The whole graph on simulated traffic, through the command line, as a person would use it."""

import json
import random
import shutil
from pathlib import Path

import pytest

from complaint_assets_tests.conftest import Home

START = "2026-09-01"
DAYS = 10


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Deliveries on disk, with what was simulated beside them."""
    folder = tmp_path_factory.mktemp("traffic")
    Home(folder / "scratch").complaints(
        "simulate",
        *("--to", folder / "inbox", "--deliveries", 3000, "--days", DAYS, "--start", START),
        *("--truth", folder / "truth.json"),
    )
    return folder


@pytest.fixture(scope="module")
def built(home: Home, traffic: Path) -> Home:
    """A home that has taken everything in."""
    shutil.copytree(traffic / "inbox", home.path / "inbox")
    home.complaints("run")
    return home


@pytest.fixture(scope="module")
def digests(built: Home) -> dict[str, str]:
    """Digests of every table after the first run."""
    return built.digests()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def truth_of(traffic: Path) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((traffic / "truth.json").read_text())
    return loaded


def test_every_layer_holds_rows_and_the_inbox_is_empty(built: Home) -> None:
    rows = built.rows()
    empty = [
        name
        for name, count in rows.items()
        if not count
        and name not in ("surges", "surge_transitions", "surge_backtest", "quarantine", "drift", "emerging_terms")
    ]
    assert not empty
    assert not files(built.path / "inbox")


def test_records_in_equal_what_became_of_them(built: Home) -> None:
    status = built.complaints("status")
    assert status["event_dates_pending"] == 0
    records = sum(channel["records_in"] for channel in status["channels"])
    quarantined = sum(channel["quarantined"] for channel in status["channels"])
    rows = built.rows()
    assert records == rows["standardised"] + rows["quarantine"]
    assert quarantined == rows["quarantine"] > 0
    assert rows["complaints"] < rows["standardised"], "redeliveries are merged"
    assert rows["complaints"] == rows["enriched_complaints"] == rows["complaint_facts"]


def test_a_second_run_finds_nothing_to_do(built: Home, digests: dict[str, str]) -> None:
    assert built.complaints("run") == []
    assert built.digests() == digests


def test_the_same_bytes_landed_again_add_nothing(built: Home, digests: dict[str, str], traffic: Path) -> None:
    path = files(traffic / "inbox" / "sms" / "gateway")[0]
    landed = built.complaints("land", "sms", "gateway", path)
    assert [row["new"] for row in landed] == [False]
    built.complaints("run")
    assert built.digests() == digests


def test_a_forced_rebuild_gives_the_same_digests(built: Home, digests: dict[str, str]) -> None:
    built.complaints("run", "--from", "2026-09-03", "--to", "2026-09-08")
    assert built.digests() == digests


def test_rebuilding_from_the_raw_lake_alone_gives_the_same_digests(
    built: Home, digests: dict[str, str], tmp_path: Path
) -> None:
    bare = Home(tmp_path / "home")
    shutil.copytree(built.path / "lake", bare.path / "lake")
    bare.complaints("run")
    assert bare.digests() == digests


def test_slots_in_any_order_give_the_same_digests(digests: dict[str, str], traffic: Path, tmp_path: Path) -> None:
    shuffled = Home(tmp_path / "home")
    everything = files(traffic / "inbox")
    random.Random(7).shuffle(everything)
    half = len(everything) // 2
    for part in (everything[:half], everything[half:]):
        for path in part:
            target = shuffled.path / "inbox" / path.relative_to(traffic / "inbox")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        shuffled.complaints("run")
    assert shuffled.digests() == digests


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """Two messages that happened on 4 September and arrive on the 10th."""
    path = tmp_path / "late.jsonl"
    lines = [
        {
            "messageId": f"late-{n}",
            "from": f"+23480312345{n:02d}",
            "to": "300",
            "text": "network is down in Yaba since morning",
            "receivedAt": "2026-09-04 13:00:00",
            "network": "x",
            "smsCount": 1,
        }
        for n in range(2)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_late_file_restates_its_dates_and_no_others(built: Home, late: Path) -> None:
    """Last in this module: it changes the shared home."""
    before = {row["event_date"]: row for row in built.complaints("status")["event_dates"]}
    built.complaints("land", "sms", "gateway", late, "--slot", "2026-09-10T10")
    built.complaints("run")
    after = {row["event_date"]: row for row in built.complaints("status")["event_dates"]}
    changed = {day for day in after if after[day]["complaints"] != before.get(day, {}).get("complaints")}
    assert changed == {"2026-09-04"}
    assert after["2026-09-04"]["rows"] == before["2026-09-04"]["rows"] + 2


def test_wrong_use_says_what_to_do_and_exits_with_2(built: Home, late: Path) -> None:
    unknown = built.call("land", "sms", "nobody", late)
    assert unknown.returncode == 2
    assert "no contract" in unknown.stderr
    assert "sms/gateway" in unknown.stderr
    assert built.call("land", "sms", "gateway", late, "--slot", "yesterday").returncode == 2
    assert built.call("land", "sms", "gateway", late.with_name("absent")).returncode == 2
    assert built.call("run", "--from", "2026-09-04").returncode == 2


def test_no_customer_is_named_outside_the_raw_lake(built: Home, traffic: Path) -> None:
    """Phone numbers of the simulated SMS must not appear in any other byte of the home."""
    numbers = set()
    for path in files(traffic / "inbox" / "sms" / "gateway"):
        for line in path.read_bytes().splitlines():
            try:
                numbers.add(json.loads(line)["from"][-10:].encode())
            except (ValueError, KeyError, TypeError):
                continue
    sample = sorted(numbers)[:200]
    assert len(sample) > 50
    for path in files(built.path):
        if path.relative_to(built.path).parts[0] == "lake":
            continue
        content = path.read_bytes()
        assert not [number for number in sample if number in content], path.name
