"""Rules are tried on history, applied by name, and gone back on; nothing is mixed, and nothing is forgotten."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from complaint_assets.assets.taxonomy import LABELS
from complaint_assets.enrichment.classifications import classified, versions
from complaint_assets.logic.digest import digest
from complaint_assets.logic.enriched.moves import Moves
from complaint_assets.privacy.erasure import audit_log
from complaint_assets.taxonomy import TaxonomyError, load_rules
from complaint_assets.taxonomy.active import history
from complaint_assets_tests.conftest import REPOSITORY
from complaint_assets_tests.taxonomy.house import DAYS, LAMP, PHONE, SAID, House
from resources.settings import settings


def test_a_trial_tells_who_moves_where_with_volumes_and_masked_examples_and_changes_nothing(
    house: House, new_rules: Path
) -> None:
    before = digest(house.enriched())
    (tried,) = house.call("try", new_rules)
    assert (tried["complaints"], tried["moved"]) == (3, 2)
    channels = {"sms": 1, "web_form": 1}
    assert tried["category"] == [{"from": "other", "to": "device", "complaints": 2, "channels": channels}]
    (told,) = tried["examples"]
    assert len(told["examples"]) == 2
    assert "blinking" in told["examples"][0]
    assert PHONE not in json.dumps(tried)
    assert digest(house.enriched()) == before
    assert house.pending() == []
    (part,) = house.call("try", new_rules, "--sample", 1, "--from", DAYS[1])
    assert (part["complaints"], part["confirm"] != tried["confirm"]) == (1, True)


def test_rules_are_applied_only_as_they_were_tried_and_by_somebody_with_a_reason(
    house: House, new_rules: Path
) -> None:
    from complaint_assets.cli.common import WrongUse
    from complaint_assets.enrichment.changes import RefusedChange

    (tried,) = house.call("try", new_rules)
    mine = ("--author", "Ada", "--reason", "a new box")
    with pytest.raises(RefusedChange, match="no trial"):
        house.call("apply", new_rules, "--confirm", "0" * 16, *mine)
    with pytest.raises(WrongUse, match="author"):
        house.call("apply", new_rules, "--confirm", tried["confirm"], "--author", " ", "--reason", "x")
    file = new_rules / "taxonomy.yaml"
    as_tried = file.read_text()
    file.write_text(as_tried + "# changed since\n")
    with pytest.raises(RefusedChange, match="try it again"):
        house.call("apply", new_rules, "--confirm", tried["confirm"], *mine)
    trial = settings().taxonomy / "trials" / f"{tried['confirm']}.json"
    trial.write_text(trial.read_text().replace('"moved": 2', '"moved": 0'))
    file.write_text(as_tried)
    with pytest.raises(RefusedChange, match="no trial"):
        house.call("apply", new_rules, "--confirm", tried["confirm"], *mine)
    assert history(settings().taxonomy) == []
    assert audit_log().rows() == []


def test_applied_rules_make_all_dates_pending_and_both_what_was_reported_and_any_version_stay_queryable(
    house: House, new_rules: Path
) -> None:
    former = load_rules("NG").version
    change = house.change(new_rules)
    assert change["former"] == former
    assert change["version"].startswith("1.2.0+")
    assert house.pending() == DAYS
    (row,) = audit_log().rows("taxonomy_apply")
    assert (row["details"]["author"], row["details"]["reason"]) == ("Ada", "a new box")
    assert (row["details"]["moved"], row["details"]["version"]) == (2, change["version"])
    house.enrich()
    assert house.pending() == []
    assert set(house.enriched()["taxonomy_version"].to_pylist()) == {change["version"]}
    house.tell(*SAID[:2], (3, DAYS[0], "sms", LAMP))  # a third complaint of the first day comes late
    house.enrich()

    def categories(version: str | None) -> list[tuple[str, str]]:
        rows = classified(house.tables, version).to_pylist()
        return [(row["category"], row["taxonomy_version"]) for row in rows]

    assert versions(house.tables) == [former, change["version"]]
    assert categories(former) == [("other", former), ("network", former), ("other", former)]
    new = change["version"]
    assert categories(new) == [("device", new), ("network", new), ("device", new), ("device", new)]
    # In order of dates: what came late was reported under the new rules, which it came under.
    assert categories(None) == [("other", former), ("network", former), ("device", new), ("other", former)]
    told = house.call("history", f"{0:026}")
    assert [(row["asked"], row["category"]) for row in told] == [
        ("as reported", "other"),
        ("under this version", "other"),
        ("under this version", "device"),
    ]


def test_going_back_takes_the_kept_rows_unless_the_complaints_have_changed_since(
    house: House, new_rules: Path
) -> None:
    first = house.enriched()
    former = load_rules("NG").version
    new = house.change(new_rules)["version"]
    house.enrich()
    second = house.enriched()
    assert second["category"].to_pylist() == ["device", "network", "device"]
    # A mark in the kept rows shows which of them come back.
    house.tables.update("classifications", "category = 'other'", {"subcategory": "'kept'"})
    house.tell((2, DAYS[1], "web_form", "the lunch was cold"))
    assert house.roll_back()["version"] == former
    assert house.pending() == DAYS
    house.enrich()
    third = house.enriched().to_pylist()
    assert [row["subcategory"] for row in third] == ["kept", first["subcategory"][1].as_py(), "other"]
    house.tables.update("classifications", "category = 'other'", {"subcategory": "'other'"})
    unmarked = [{**row, "subcategory": "other"} if row["subcategory"] == "kept" else row for row in third[:2]]
    assert unmarked == first.to_pylist()[:2]
    assert [row.action for row in history(settings().taxonomy)] == ["taxonomy_apply", "taxonomy_rollback"]
    assert [row["details"]["author"] for row in audit_log().rows()] == ["Ada", "Bo"]
    # A complaint that was first told under the new rules stays so when its date goes back.
    reported = {row["complaint_id"]: row["taxonomy_version"] for row in classified(house.tables).to_pylist()}
    assert reported[f"{0:026}"] == former
    assert new in versions(house.tables)


def test_what_is_asked_for_though_up_to_date_is_worked_out_anew(house: House) -> None:
    house.tables.update("enriched_complaints", "category = 'network'", {"subcategory": "'stale'"})
    house.enrich()
    assert "stale" not in house.enriched()["subcategory"].to_pylist()


def test_complaints_that_are_gone_are_forgotten_under_every_version(house: House, new_rules: Path) -> None:
    house.change(new_rules)
    house.enrich()
    assert classified(house.tables, load_rules("NG").version).num_rows == 3
    said = {"complaint_id": [f"{n:026}" for n in range(3)], "event_date": [DAYS[0], DAYS[0], DAYS[1]]}
    labels = pa.table({**said, "labeller": ["Ada"] * 3, "category": ["device"] * 3}).cast(LABELS)
    house.tables.replace(
        "labels",
        labels,
        schema=LABELS,
        partition_by=[],
        where=None,
        sort_by=["complaint_id"],
        statistics=["event_date"],
    )
    house.tell(SAID[1])  # the first complaint of the first day was erased
    house.enrich()
    kept = classified(house.tables, load_rules("NG").version)["complaint_id"].to_pylist()
    assert kept == [f"{1:026}", f"{2:026}"]
    assert house.tables.scan("labels", LABELS)["complaint_id"].to_pylist() == kept


KILLED = """
import sys
from pathlib import Path
from complaint_assets_tests.taxonomy.house import House
House(Path(sys.argv[1])).enrich()
"""


def test_a_kill_never_mixes_versions_and_the_next_run_finishes(house: House, new_rules: Path) -> None:
    where = "tables.before_commit:2"  # the former rows are kept, the new ones not committed
    former = load_rules("NG").version
    new = house.change(new_rules)["version"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(house.path)],
        cwd=REPOSITORY,
        env={**os.environ, "COMPLAINTS_FAILPOINT": where},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr[-2000:]
    per_date: dict[date, set[str]] = {}
    for row in house.enriched().to_pylist():
        per_date.setdefault(row["event_date"], set()).add(row["taxonomy_version"])
    assert per_date == {day: {former} for day in DAYS}
    assert house.pending() == DAYS
    house.enrich()
    assert set(house.enriched()["taxonomy_version"].to_pylist()) == {new}
    assert classified(house.tables, former).num_rows == 3
    assert classified(house.tables)["taxonomy_version"].to_pylist() == [former] * 3


def test_applied_rules_that_somebody_changed_are_refused_and_going_back_works(
    house: House, new_rules: Path
) -> None:
    version = house.change(new_rules)["version"]
    load_rules.__globals__["_compiled"].cache_clear()
    with (settings().taxonomy / version / "taxonomy.yaml").open("a") as file:
        file.write("# edited\n")
    with pytest.raises(TaxonomyError, match="not the rules that were applied"):
        load_rules("NG", settings().taxonomy)
    assert house.roll_back()["version"] == load_rules("NG").version
    assert load_rules("NG", settings().taxonomy).version == load_rules("NG").version


def test_an_unfinished_line_of_the_history_never_counts(house: House, new_rules: Path) -> None:
    house.change(new_rules)
    changes = history(settings().taxonomy)
    with (settings().taxonomy / "history.jsonl").open("a") as file:
        file.write('{"at": "20')
    assert history(settings().taxonomy) == changes
    house.roll_back()
    assert len(history(settings().taxonomy)) == 2


def test_moves_do_not_depend_on_how_the_batches_are_cut() -> None:
    count = 40
    ids = [f"{n * 7 % count:026}" for n in range(count)]
    fixed = {"channel": ["sms"] * count, "contact_class": ["complaint"] * count}
    before = pa.table({"complaint_id": ids, **fixed, "category": ["other"] * count, "severity": [2] * count})
    after = before.set_column(3, "category", pa.array(["device", "network"] * (count // 2)))
    found = []
    for size in (1, 7, count):
        moves = Moves(3)
        for start in range(0, count, size):
            moves.add(before.slice(start, size), after.slice(start, size))
        found.append((moves.counts(), moves.examples()))
    assert found[0] == found[1] == found[2]
    assert found[0][1]["other", "device"] == sorted(ids[::2])[:3]
