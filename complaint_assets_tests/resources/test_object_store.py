"""The object store's promises, on a folder and on S3: put once, whole or not at all, nothing outside."""

import hashlib
import io
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.object_store import FolderStore, ObjectStore, checked, open_store, read, spooled_sha256

BLOCK = 256 << 10


@pytest.fixture
def store(place: str) -> ObjectStore:
    return open_store(place)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "place"


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


def files(folder: Path) -> list[str]:
    """Every file below ``folder``, listed by the store or not."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000], ids=len)
def test_what_is_put_is_read_byte_for_byte(store: ObjectStore, data: bytes) -> None:
    assert store.put_if_absent("a/once", io.BytesIO(data))
    store.put("a/put", data)
    assert read(store, "a/once") == read(store, "a/put") == data


def test_an_object_is_read_from_wherever_one_seeks(store: ObjectStore) -> None:
    store.put("a", b"0123456789")
    with store.open("a") as stream:
        stream.seek(7)
        assert stream.read(2) == b"78"
        stream.seek(1)
        assert stream.read(1) == b"1"


def test_a_missing_object_is_told_as_such(store: ObjectStore) -> None:
    store.put("there/x", b"")
    for key in ("nowhere", "there/y", "nowhere/x"):
        with pytest.raises(FileNotFoundError):
            store.open(key)
        assert read(store, key) is None


def test_put_if_absent_never_overwrites_and_put_does(store: ObjectStore) -> None:
    assert store.put_if_absent("a", io.BytesIO(b"first"))
    assert not store.put_if_absent("a", io.BytesIO(b"second, and longer"))
    assert read(store, "a") == b"first"
    store.put("a", b"third")
    assert read(store, "a") == b"third"
    assert not store.put_if_absent("a", io.BytesIO(b"fourth"))


def test_a_deleted_object_is_gone_and_deleting_nothing_is_no_error(store: ObjectStore) -> None:
    store.put("a/b", b"old")
    store.delete("a/b")
    store.delete("a/b")
    store.delete("never/there")
    assert keys(store) == []
    assert store.put_if_absent("a/b", io.BytesIO(b"new"))


def assert_one_winner(store: ObjectStore, key: str, winners: list[int]) -> None:
    assert len(winners) == 1, f"{key}: {winners}"
    assert read(store, key) == bytes(winners) * BLOCK


def test_of_eight_threads_exactly_one_wins_a_key_and_its_bytes_stand(store: ObjectStore) -> None:
    start = threading.Barrier(8)

    def race(me: int, key: str) -> bool:
        start.wait()
        return store.put_if_absent(key, io.BytesIO(bytes([me]) * BLOCK))

    with ThreadPoolExecutor(8) as pool:
        for key in ("a/1", "a/2", "b"):
            won = list(pool.map(race, range(8), [key] * 8))
            assert_one_winner(store, key, [me for me in range(8) if won[me]])


RACE = """
import io
from resources.object_store import open_store
place, size, count = sys.argv[1], *map(int, sys.argv[2:])

def race(me):
    store = open_store(place)
    return [n for n in range(count) if store.put_if_absent(f"{n % 3}/{n}", io.BytesIO(bytes([me]) * size))]

open_store(place).put("warm/up", b"")
print(json.dumps(at_once(8, race)))
"""


def test_of_eight_processes_exactly_one_wins_each_key_and_its_bytes_stand(
    place: str, store: ObjectStore, child: Callable[..., Any]
) -> None:
    won = child(RACE, place, BLOCK, 12).result()
    for n in range(12):
        assert_one_winner(store, f"{n % 3}/{n}", [me for me in range(8) if n in won[me]])


def test_a_conflict_with_a_delete_on_s3_is_no_proof_that_the_object_exists(s3: Any, tmp_path: Path) -> None:
    store = open_store(f"{s3.bucket}/{tmp_path.name}")
    s3.application.conflicts = 2
    assert store.put_if_absent("a", io.BytesIO(b"first"))
    assert s3.application.conflicts == 0
    assert read(store, "a") == b"first"


HALF = """
import io
from resources.object_store import open_store

class Half(io.RawIOBase):
    "One megabyte, and then nothing more ever comes."
    blocks = 4
    def readable(self):
        return True
    def read(self, size=-1):
        if self.blocks:
            self.blocks -= 1
            return b"x" * (256 << 10)
        ready()

open_store(sys.argv[1]).put_if_absent("slot/object", Half())
"""


def test_a_kill_midway_leaves_no_object_in_a_folder_and_the_next_put_completes(
    folder: Path, child: Callable[..., Any]
) -> None:
    killed = child(HALF, folder)
    killed.wait_until_ready()
    killed.kill()
    assert files(folder) != []  # it had begun
    store = open_store(str(folder))
    assert keys(store) == []
    assert read(store, "slot/object") is None
    assert store.put_if_absent("slot/object", io.BytesIO(b"whole"))
    assert keys(store) == ["slot/object"]
    assert read(store, "slot/object") == b"whole"


WHOLE = """
import io
from resources.object_store import open_store
ready()
open_store(sys.argv[1]).put_if_absent("slot/object", io.BytesIO(b"x" * (8 << 20)))
"""


def test_a_kill_midway_leaves_no_object_on_s3_and_the_next_put_completes(
    s3: Any, tmp_path: Path, child: Callable[..., Any]
) -> None:
    place = f"{s3.bucket}/{tmp_path.name}"
    with socket.create_server(("127.0.0.1", 0)) as gate, socket.create_connection(s3.address) as server:
        killed = child(WHOLE, place, AWS_ENDPOINT_URL=f"http://127.0.0.1:{gate.getsockname()[1]}")
        killed.wait_until_ready()
        killed.go()
        client, _ = gate.accept()
        passed = 0
        with client:
            while passed < 1 << 20:
                block = client.recv(1 << 16)
                assert block
                server.sendall(block)
                passed += len(block)
            killed.kill()
        server.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while server.recv(1 << 16):  # until the server has heard the end
                pass
    store = open_store(place)
    assert keys(store) == []
    assert store.put_if_absent("slot/object", io.BytesIO(b"whole"))
    assert read(store, "slot/object") == b"whole"


class Broken(io.BytesIO):
    """A stream that fails after its first block."""

    failing = False

    def read(self, size: int | None = -1) -> bytes:
        if self.failing:
            raise OSError("the line is dead")
        self.failing = True
        return super().read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return super().seek(offset, whence)


def test_a_stream_that_fails_leaves_nothing(place: str, store: ObjectStore) -> None:
    with pytest.raises(OSError, match="the line is dead"):
        store.put_if_absent("a/b", Broken(b"x" * (4 << 20)))
    assert keys(store) == []
    if isinstance(store, FolderStore):
        assert files(Path(place)) == []
    assert store.put_if_absent("a/b", io.BytesIO(b"whole"))


def test_a_reader_sees_the_old_or_the_new_object_while_it_is_replaced(store: ObjectStore) -> None:
    whole = {bytes([n]) * (BLOCK + n) for n in range(20)}
    store.put("a", min(whole))
    seen = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.add(read(store, "a"))

    reader = threading.Thread(target=look)
    reader.start()
    for data in sorted(whole):
        store.put("a", data)
        time.sleep(0.002)
    stop.set()
    reader.join()
    assert len(seen) > 1
    assert seen <= whole


def test_bytes_are_on_disk_before_their_name_and_the_name_before_the_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a").mkdir(parents=True)
    synced: list[tuple[Path, bool]] = []
    fsync = os.fsync

    def spy(handle: int) -> None:
        fsync(handle)
        synced.append((Path(f"/proc/self/fd/{handle}").readlink(), (folder / "a/b/c/object").exists()))

    monkeypatch.setattr(os, "fsync", spy)
    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not tell which file a handle belongs to")
    assert FolderStore(folder).put_if_absent("a/b/c/object", io.BytesIO(b"x"))
    temporary = [path for path, _ in synced if path.name.endswith(".tmp")]
    assert len(temporary) == 1
    assert (temporary[0], False) in synced
    assert (folder / "a/b/c", True) in synced
    # A new folder is a name too, in the folder above it.
    assert {folder / "a", folder / "a/b"} <= {path for path, _ in synced}


UNSAFE = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../x",
    "a/..",
    ".",
    "./a",
    "a/.",
    "a//b",
    "a/",
    "a\0b",
    "é" * 513,
]


def test_an_unsafe_key_is_refused_by_every_way_in(store: ObjectStore, tmp_path: Path) -> None:
    before = files(tmp_path)
    for key in UNSAFE:
        ways: list[Callable[[str], object]] = [
            lambda key: store.put_if_absent(key, io.BytesIO(b"x")),
            lambda key: store.put(key, b"x"),
            store.open,
            store.delete,
        ]
        for way in ways:
            with pytest.raises(ValueError, match="object key"):
                way(key)
    assert files(tmp_path) == before


@given(st.lists(st.sampled_from(["..", ".", "/", "a", "\\", "\n", "\0", " ", "~", "é"]), max_size=8).map("".join))
def test_no_key_leads_out_of_the_folder(key: str) -> None:
    with suppress(ValueError):
        assert os.path.normpath(f"/root/{checked(key)}") == f"/root/{key}"


ODD = ["a\rb", "a\tb", "a\x7fb", "a\\..\\b", "a b", "...", "b/..b", "~", "ẹ̀kọ́", "a%2F..%2Fb", "a+b&c=d?e#f"]


def test_an_odd_but_safe_key_is_one_object_under_that_very_key(store: ObjectStore) -> None:
    # The S3 server of the tests knows no line feed in a path.
    odd = [*ODD, "a\nb"] if isinstance(store, FolderStore) else ODD
    for key in odd:
        assert store.put_if_absent(key, io.BytesIO(key.encode()))
    assert keys(store) == sorted(odd)
    assert [read(store, key) for key in odd] == [key.encode() for key in odd]
    store.delete("a%2F..%2Fb")
    assert keys(store) == sorted({*odd} - {"a%2F..%2Fb"})


LISTED = ["b", "a-b", "a.b/c", "a/b/c2", "a/b/c10", "ab", "A", "é", "～", "𐍈/x", "a/x.tmp", "a/.hidden"]


def test_a_listing_is_in_key_order_whatever_the_order_of_writing(store: ObjectStore) -> None:
    for key in LISTED:
        store.put(key, key.encode())
    assert keys(store) == sorted(LISTED, key=str.encode)
    assert [info.size for info in store.list()] == [len(key.encode()) for key in keys(store)]
    for prefix in ("a", "a/", "a/b", "a/b/", "a/b/c1", "a.b/c", "nothing/", "A", "𐍈"):
        assert keys(store, prefix) == sorted(key for key in LISTED if key.startswith(prefix))


def test_no_prefix_lists_what_lies_outside(place: str, store: ObjectStore, tmp_path: Path) -> None:
    store.put("a/b", b"")
    outside = f"{place}/../outside" if isinstance(store, FolderStore) else f"{place}-outside"
    open_store(outside).put("secret", b"")
    for prefix in ("../", "../outside/", "/", "a/../../", "a//", f"{tmp_path}/", "-outside/"):
        assert keys(store, prefix) == []


def test_a_version_changes_with_the_bytes_and_only_then(store: ObjectStore) -> None:
    store.put("a", b"one")
    store.put("b", b"one")
    first = {info.key: info.version for info in store.list()}
    assert {info.key: info.version for info in store.list()} == first
    time.sleep(0.02)
    store.put("a", b"two")
    second = {info.key: info.version for info in store.list()}
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]


def test_a_version_changes_even_if_size_and_modification_time_are_put_back(folder: Path) -> None:
    store = FolderStore(folder)
    store.put("a", b"one")
    (before,) = store.list()
    old = (folder / "a").stat()
    time.sleep(0.02)
    (folder / "a").write_bytes(b"two")
    os.utime(folder / "a", ns=(old.st_atime_ns, old.st_mtime_ns))
    (after,) = store.list()
    assert after.version != before.version


def test_an_object_arrives_when_it_is_put(store: ObjectStore) -> None:
    store.put("a", b"x")
    (info,) = store.list()
    assert abs(datetime.now(UTC) - info.arrived_at) < timedelta(seconds=30)


def test_a_copied_file_with_an_old_date_arrived_now(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_bytes(b"x")
    os.utime(folder / "a", (0, 0))
    (info,) = FolderStore(folder).list()
    assert abs(datetime.now(UTC) - info.arrived_at) < timedelta(seconds=30)


def test_links_in_a_folder_are_not_listed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_bytes(b"x")
    store = FolderStore(folder)
    store.put("a/real", b"x")
    (folder / "a/link").symlink_to(elsewhere / "secret")
    (folder / "linked").symlink_to(elsewhere)
    assert keys(store) == ["a/real"]


@given(st.binary(max_size=300), st.integers(1, 64))
def test_spooling_copies_the_stream_and_tells_its_digest_and_size(data: bytes, block: int) -> None:
    class Short(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:  # a stream may give less than asked for
            return super().read(min(block, size) if size and size > 0 else block)

    spool = io.BytesIO()
    assert spooled_sha256(Short(data), spool) == (hashlib.sha256(data).hexdigest(), len(data))
    assert spool.getvalue() == data
