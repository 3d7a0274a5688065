"""A person is erased from six feeds, stays erased through backup and redelivery, and nobody else notices."""

import json
import subprocess
import sys
from typing import Any

import pytest

from complaint_assets_tests.conftest import REPOSITORY, Home
from complaint_assets_tests.privacy.deliveries import ADA, ADA_MAIL, CHATS, yesterday

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What the scenario saw after every step."""
    folder = tmp_path_factory.mktemp("erasure")
    contract = folder / "contracts" / "whatsapp" / "chats.yaml"
    contract.parent.mkdir(parents=True)
    contract.write_text(CHATS)
    home = Home(folder / "home", {"COMPLAINTS_CONTRACTS": str(folder / "contracts")})
    done = subprocess.run(
        [sys.executable, "-m", "complaint_assets_tests.privacy.scenario", str(folder / "result.json")],
        cwd=REPOSITORY,
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: Seen = json.loads((folder / "result.json").read_text())
    return result


OF_ADA = {"website/w1", "nps/n1", "chats/None", f"gateway/s1{yesterday()}", f"cloud_api/wamid.{yesterday()}.9"}


def test_a_dry_run_says_what_would_go(seen: Seen) -> None:
    """Six records lie in five objects; one more of hers, in the quarantine, is among them."""
    (dry,) = seen["dry"]
    assert (dry["raw_objects"], dry["raw_records"]) == (5, 6)
    assert dry["rows"]["standardised"] == len(OF_ADA)


def test_no_marker_is_left_anywhere(seen: Seen) -> None:
    (erased,) = seen["erased"]
    assert (erased["left"], erased["rows_left"]) == (0, 0)
    assert seen["left"] == []


def test_messages_and_probable_links_of_hers_are_gone_too(seen: Seen) -> None:
    """The message that waited is cut like a delivery; the dead letter is removed; the pair of others stays."""
    (erased,) = seen["erased"]
    assert erased["messages_removed"] == 1
    assert erased["raw_objects"] == seen["dry"][0]["raw_objects"] + 1
    assert (seen["dry_links"], seen["links_left"]) == (1, 1)


def test_her_records_are_gone_from_every_table_and_nobody_elses(seen: Seen) -> None:
    before, after = seen["before"], seen["after"]
    gone = list(before["deliveries"])
    for delivery in after["deliveries"]:
        gone.remove(delivery)
    assert set(gone) == OF_ADA
    for table in ("standardised", "complaints", "enriched_complaints", "complaint_facts"):
        assert before["rows"][table] - after["rows"][table] == len(OF_ADA), table
    assert before["rows"]["quarantine"] - after["rows"]["quarantine"] == 1


def test_complaints_of_others_are_unchanged_but_for_the_words_in_which_one_named_her(seen: Seen) -> None:
    before, after = seen["before"]["complaints"], seen["after"]["complaints"]
    assert after.keys() < before.keys()
    changed = [json.loads(after[key]) for key in after if after[key] != before[key]]
    assert [row["source_record_id"] for row in changed] == [f"s2{yesterday()}"]
    was = json.loads(before[changed[0]["complaint_id"]])
    assert {name for name in was if was[name] != changed[0][name]} == {"content_cluster"}


@pytest.mark.parametrize("step", ["before", "after", "returned"])
def test_every_record_is_accounted_for_and_nothing_is_pending(seen: Seen, step: str) -> None:
    assert seen[step]["unaccounted"] == []
    assert seen[step]["pending"] == 0


def test_a_run_after_the_erasure_finds_nothing_to_do(seen: Seen) -> None:
    assert seen["rerun"] == []


def test_the_audit_log_tells_what_was_done_and_holds_nothing_of_the_person(seen: Seen) -> None:
    begun, done = (row["details"] for row in seen["audit"])
    assert [row["action"] for row in seen["audit"]] == ["erase", "erased"]
    assert begun["request"] == done["request"]
    assert done["operator"] == "dpo"
    assert done["left"] == 0
    assert done["versions_after"]["complaints"] > done["versions_before"]["complaints"]
    assert len(begun["identifiers"]) == 2
    for value in (ADA[1:], ADA[4:], ADA_MAIL, "obi"):
        assert value not in seen["audit_bytes"].lower()


def test_a_restored_backup_is_cut_again(seen: Seen) -> None:
    assert seen["cut_again"] == 5
    assert seen["restored_left"] == []


def test_old_files_delivered_again_add_nothing_and_a_new_contact_is_taken_in(seen: Seen) -> None:
    after, returned = seen["after"], seen["returned"]
    assert set(returned["deliveries"]) - set(after["deliveries"]) == set(new_contacts(returned))
    assert len(new_contacts(returned)) == 2
    assert len(returned["deliveries"]) == len(after["deliveries"]) + 2
    assert {key: returned["complaints"][key] for key in after["complaints"]} == after["complaints"]
    # Her number stands again where she wrote it anew, and nowhere else.
    assert len(seen["returned_left"]) == 1
    assert "/source=gateway/" in seen["returned_left"][0]


def new_contacts(state: Seen) -> list[str]:
    return [one for one in state["deliveries"] if one.startswith(("gateway/new", "gateway/back"))]
