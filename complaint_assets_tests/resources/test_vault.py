"""One subject per identifier, whoever asks first; nothing leads back without the key; rotation moves no id."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from resources.vault import Vault, VaultError

KEY, OTHER = b"the key of this vault, 32 bytes.", b"another key for it, 32 bytes....."
PEOPLE = [("phone", f"+23480312{n:05d}") for n in range(300)] + [("email", "ada@example.com")]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault", KEY, random_ids=True)


def bytes_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_an_identifier_keeps_its_subject_and_no_two_share_one(vault: Vault, tmp_path: Path) -> None:
    found = vault.subject_ids([*PEOPLE, PEOPLE[0]])
    assert found[-1] == found[0]
    assert len(set(found)) == len(PEOPLE)
    assert all(re.fullmatch(r"[a-z2-7]{26}", subject) for subject in found)
    again = Vault(tmp_path / "vault", KEY, random_ids=True)
    assert again.subject_ids(PEOPLE) == found[:-1]
    assert again.find(*PEOPLE[7]) == found[7]
    assert again.count() == len(PEOPLE)


def test_kinds_are_told_apart(vault: Vault) -> None:
    left, right = vault.subject_ids([("account", "123"), ("platform_id", "123")])
    assert left != right


def test_looking_up_what_is_unknown_adds_nothing(vault: Vault) -> None:
    assert vault.find("phone", "+2348031234567") is None
    assert vault.values("a" * 26) == []
    assert vault.count() == 0


def test_in_production_ids_cannot_be_recomputed_from_the_key(tmp_path: Path) -> None:
    first, second = (Vault(tmp_path / name, KEY, random_ids=True) for name in "ab")
    assert not set(first.subject_ids(PEOPLE)) & set(second.subject_ids(PEOPLE))
    assert first.secret != second.secret


def test_a_throw_away_vault_comes_back_the_same_and_differs_by_key(tmp_path: Path) -> None:
    first, second = (Vault(tmp_path / name, KEY, random_ids=False) for name in "ab")
    assert first.subject_ids(PEOPLE) == second.subject_ids(PEOPLE[::-1])[::-1]
    assert first.secret == second.secret
    third = Vault(tmp_path / "c", OTHER, random_ids=False)
    assert not set(first.subject_ids(PEOPLE)) & set(third.subject_ids(PEOPLE))


def test_identifiers_are_read_with_the_key_and_never_lie_in_the_open(vault: Vault, tmp_path: Path) -> None:
    odd = ("handle", "social/x|añ|\ud800")
    subjects = vault.subject_ids([*PEOPLE, odd])
    assert vault.values(subjects[3]) == [PEOPLE[3]]
    assert vault.values(subjects[-1]) == [odd]
    assert dict(vault.identifiers()) == dict(zip(subjects, [*PEOPLE, odd], strict=True))
    stored = bytes_under(tmp_path)
    assert not [value for _, value in PEOPLE if value.encode() in stored or value[-8:].encode() in stored]


def test_only_the_owner_may_enter(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    folder.mkdir(mode=0o755)
    Vault(folder, KEY, random_ids=True).subject_ids(PEOPLE)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_what_is_forgotten_is_gone_from_every_byte_and_every_process(vault: Vault, tmp_path: Path) -> None:
    subjects = vault.subject_ids(PEOPLE)
    beside = Vault(tmp_path / "vault", KEY, random_ids=True)
    beside.subject_ids(PEOPLE)
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite3") as connection:
        secrets = connection.execute(
            "SELECT lookup, data_key, identifier FROM subjects WHERE subject_id = ?", (subjects[5],)
        ).fetchone()
    connection.close()
    assert all(secret in bytes_under(tmp_path) for secret in secrets)

    assert vault.forget(subjects[5])
    assert not vault.forget(subjects[5])
    assert not [secret for secret in (*secrets, subjects[5].encode()) if secret in bytes_under(tmp_path)]
    assert vault.values(subjects[5]) == []
    assert beside.find(*PEOPLE[5]) is None
    [new] = beside.subject_ids([PEOPLE[5]])  # not what it remembered
    assert new != subjects[5]
    assert vault.subject_ids(PEOPLE) == [*subjects[:5], new, *subjects[6:]]


def test_rotation_moves_every_lookup_and_no_subject(vault: Vault, tmp_path: Path) -> None:
    subjects, secret, old = vault.subject_ids(PEOPLE), vault.secret, vault.key_id
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite3") as connection:
        lookups = [row[0] for row in connection.execute("SELECT lookup FROM subjects")]
        wraps = [row[0] for row in connection.execute("SELECT data_key FROM subjects")]
    connection.close()

    assert vault.rotate(OTHER) == len(PEOPLE)
    rotated = Vault(tmp_path / "vault", OTHER, random_ids=True)
    assert rotated.key_id == vault.key_id != old
    assert rotated.subject_ids(PEOPLE) == vault.subject_ids(PEOPLE) == subjects
    assert rotated.values(subjects[0]) == [PEOPLE[0]]
    assert rotated.secret == secret
    stored = bytes_under(tmp_path)
    assert not [value for value in (*lookups, *wraps, old.encode()) if value in stored]


def test_whoever_holds_the_old_key_is_refused_after_a_rotation(vault: Vault, tmp_path: Path) -> None:
    beside = Vault(tmp_path / "vault", KEY, random_ids=True)
    beside.subject_ids(PEOPLE)
    vault.rotate(OTHER)
    for use in (
        lambda: beside.subject_ids([("phone", "+2348039999999")]),
        lambda: beside.subject_ids(PEOPLE),
        lambda: beside.forget("a" * 26),
        lambda: beside.rotate(b"a third key, of at least 32 bytes"),
        lambda: Vault(tmp_path / "vault", KEY, random_ids=True),
    ):
        with pytest.raises(VaultError, match="COMPLAINTS_KEY"):
            use()
    assert vault.count() == len(PEOPLE)


def test_rotation_to_the_same_key_is_refused(vault: Vault) -> None:
    with pytest.raises(VaultError, match="the one in use"):
        vault.rotate(KEY)


def test_a_rotation_that_fails_half_way_changes_nothing(vault: Vault, tmp_path: Path) -> None:
    subjects = vault.subject_ids(PEOPLE)
    with sqlite3.connect(tmp_path / "vault" / "vault.sqlite3") as connection:
        connection.execute("UPDATE subjects SET data_key = x'00' WHERE subject_id = ?", (max(subjects),))
    connection.close()
    with pytest.raises(Exception):  # noqa: B017 - whatever the cipher raises for a damaged key
        vault.rotate(OTHER)
    assert Vault(tmp_path / "vault", KEY, random_ids=True).subject_ids(PEOPLE) == subjects


def test_processes_that_meet_the_same_customers_first_agree_on_them(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from resources.vault import Vault; "
        f"v = Vault(pathlib.Path({str(tmp_path / 'vault')!r}), {KEY!r}, random_ids=True); "
        f"people = {PEOPLE!r}[::int(sys.argv[1])]; "
        "found = [s for n in range(0, len(people), 10) for s in v.subject_ids(people[n:n + 10])]; "
        "print(*found[::int(sys.argv[1])])"
    )
    repository = Path(__file__).resolve().parents[2]
    running = [
        subprocess.Popen([sys.executable, "-c", script, step], cwd=repository, stdout=subprocess.PIPE, text=True)
        for step in ("1", "-1", "1")
    ]
    answers = {process.communicate(timeout=120)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(answers) == 1
    assert len(set(answers.pop().split())) == len(PEOPLE)
