"""The raw lake: bytes exactly as they came, content-addressed, with a manifest per channel and slot.

Landing claims the content for one slot, stores the object, then its receipt: the same bytes of one source
are one object, whenever they come again. Sealing verifies a slot's objects and writes its manifest last.
Everything else that this product stores can be made again from here.
"""

import hashlib
import io
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from resources.failpoints import failpoint
from resources.object_store import open_store, read

NAME_REUSED = "name_reused"
"""Flag of an object whose name had come before with other bytes."""


RETIRED = "retired"
"""Flag of an object whose bytes retention has removed: its receipt stays, so that they never come again."""

MARKER = "environment.json"
"""Which environment the lake belongs to."""


class DamagedLake(RuntimeError):
    """A manifest or an object is not what was written; the message names it."""


class WrongBytes(ValueError):
    """What came is not what its sender promised; nothing was stored."""


class WrongEnvironment(RuntimeError):
    """The lake belongs to another environment; the message names both."""


@dataclass(frozen=True)
class RawObject:
    """One delivery of bytes."""

    channel: str
    source: str
    slot: str
    sha256: str
    name: str
    key: str
    size: int
    received_at: datetime
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Landed:
    """The object that holds the bytes, and whether they came for the first time."""

    object: RawObject
    new: bool


@dataclass(frozen=True)
class Manifest:
    """The verified objects of a slot; equal objects give an equal checksum."""

    channel: str
    slot: str
    objects: tuple[RawObject, ...]
    checksum: str


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _object(row: dict[str, Any]) -> RawObject:
    return RawObject(
        **{
            **row,
            "received_at": datetime.fromisoformat(row["received_at"]),
            "flags": tuple(row["flags"]),
        }
    )


def receipt_key(item: RawObject) -> str:
    """Where it is written that the object was received."""
    return f"receipts/channel={item.channel}/slot={item.slot}/{item.source}/{item.sha256}.json"


def mark_key(item: RawObject) -> str:
    """The mark of an object that no manifest lists yet."""
    return f"unsealed/channel={item.channel}/slot={item.slot}/{item.source}/{item.sha256}"


def manifest_key(channel: str, slot: str) -> str:
    """Where the slot's manifest lies."""
    return f"manifests/channel={channel}/slot={slot}.json"


def content_key(channel: str, source: str, sha256: str) -> str:
    """Where it is written in which slot, when and under which name the content came first."""
    return f"index/channel={channel}/source={source}/content/{sha256}"


def name_key(channel: str, source: str, name: str) -> str:
    """Where it is written which content came first under the name."""
    return f"index/channel={channel}/source={source}/names/{hashlib.sha256(name.encode()).hexdigest()}"


def removal_key(item: RawObject) -> str:
    """The mark of an object whose bytes are to go: from its receipt on, nothing of it is made again."""
    return f"removals/channel={item.channel}/slot={item.slot}/{item.source}/{item.sha256}.json"


class Lake:
    """A raw lake on a folder or on S3."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._store = open_store(url)

    def claim(self, environment: str) -> None:
        """Mark the lake as one of ``environment`` on first use.

        Raises:
            WrongEnvironment: it has been marked as another's.
        """
        standing = self._claim(MARKER, {"environment": environment}).get("environment")
        if standing != environment:
            raise WrongEnvironment(
                f"the lake {self._url} is marked {standing} and COMPLAINTS_ENV is {environment}: one environment "
                "never opens the data of another. Choose another COMPLAINTS_HOME or COMPLAINTS_LAKE; for a masked "
                "copy of production use: complaints sample"
            )

    def land(
        self,
        channel: str,
        source: str,
        slot: str,
        name: str,
        received_at: datetime,
        stream: BinaryIO,
        promised: str | None = None,
    ) -> Landed:
        """Store the bytes of ``stream``; when this returns they are durable and will be read.

        Args:
            channel: the channel.
            source: the source of the channel.
            slot: slot in which they arrived.
            name: the file's name at the source; data, never a path.
            received_at: when they arrived.
            stream: the bytes.
            promised: their SHA-256 (hex) as the sender states it, if it does.

        Raises:
            WrongBytes: they are not the promised ones.
        """
        with self._store.staged(stream) as staged, ThreadPoolExecutor(max_workers=2) as beside:
            sha256 = staged.sha256
            failpoint("land.spooled")
            if promised is not None and sha256 != promised:
                raise WrongBytes(f"{channel}/{source}: a file of {staged.size} bytes does not match its checksum")
            claim = self._claim(
                content_key(channel, source, sha256), {"slot": slot, "received_at": received_at, "name": name}
            )
            failpoint("land.claimed")
            suffix = PurePosixPath(claim["name"]).suffix.lower()
            suffix = "".join(c for c in suffix if c.isalnum() or c == ".")[:12]
            key = f"raw/channel={channel}/source={source}/slot={claim['slot']}/{sha256}{suffix}"
            at = datetime.fromisoformat(claim["received_at"])
            item = RawObject(channel, source, claim["slot"], sha256, claim["name"], key, staged.size, at)
            standing = read(self._store, receipt_key(item))
            # Bytes, mark and names become durable side by side: each waits for the disk most of the time.
            waiting: list[Future[Any]] = []
            if standing is None:
                # The mark goes first: from then on the slot is known to hold something that no manifest lists.
                marking = partial(self._store.put_if_absent, mark_key(item), io.BytesIO(b""))
                waiting = [beside.submit(staged.sync), beside.submit(marking)]
            firsts = [self._claim_name(channel, source, one, sha256) for one in dict.fromkeys((name, item.name))]
            failpoint("land.named")
            if standing is not None:
                return Landed(_object(json.loads(standing)), new=False)
            if firsts[-1] != sha256:
                item = replace(item, flags=(NAME_REUSED,))
            for one in waiting:
                one.result()
            failpoint("land.marked")
            self._store.put_staged(key, staged)
            failpoint("land.stored")
            new = self._store.put_if_absent(receipt_key(item), io.BytesIO(_canonical(asdict(item))))
            failpoint("land.receipted")
        return Landed(item, new)

    def _claim(self, key: str, value: dict[str, Any]) -> dict[str, Any]:
        self._store.put_if_absent(key, io.BytesIO(_canonical(value)))
        return cast("dict[str, Any]", json.loads(read(self._store, key) or b"{}"))

    def _claim_name(self, channel: str, source: str, name: str, sha256: str) -> str:
        """Digest of the first bytes that came under ``name``."""
        return cast("str", self._claim(name_key(channel, source, name), {"sha256": sha256})["sha256"])

    def seal(self, channel: str, slot: str) -> Manifest:
        """Verify every object of the slot and write its manifest.

        Raises:
            DamagedLake: an object is missing or not the bytes that were received.
        """
        unsealed = f"unsealed/channel={channel}/slot={slot}/"
        marks = [info.key for info in self._store.list(unsealed)]
        receipts = [
            _object(json.loads(read(self._store, info.key) or b"{}"))
            for info in self._store.list(f"receipts/channel={channel}/slot={slot}/")
        ]
        failpoint("seal.listed")
        for item in receipts:
            if RETIRED not in item.flags:
                self._verify(item)
        objects = tuple(sorted(receipts, key=lambda item: (item.source, item.sha256)))
        body = _canonical([asdict(item) for item in objects])
        manifest = Manifest(channel, slot, objects, hashlib.sha256(body).hexdigest())
        # Another run may have sealed the slot and removed its marks meanwhile: until this manifest is known to
        # list every receipt, the slot stays marked.
        for mark in marks:
            self._store.put_if_absent(mark, io.BytesIO(b""))
        failpoint("seal.before_manifest")
        self._store.put(
            manifest_key(channel, slot),
            _canonical({"checksum": manifest.checksum, "objects": json.loads(body)}),
        )
        failpoint("seal.manifest_written")
        listed = {mark_key(item) for item in objects}
        received = f"receipts/channel={channel}/slot={slot}/"
        for info in self._store.list(received):
            mark = unsealed + info.key.removeprefix(received).removesuffix(".json")
            if mark not in listed:  # it landed meanwhile, and another run may have sealed it before us
                self._store.put_if_absent(mark, io.BytesIO(b""))
        for mark in marks:
            if mark in listed:
                self._store.delete(mark)
                failpoint("seal.mark_removed")
        failpoint("seal.done")
        return manifest

    def replace(self, item: RawObject, content: bytes, name: str) -> RawObject | None:
        """Put ``content`` under ``name`` in the place of ``item``; remove the bytes of ``item``, every version.

        Whatever it is interrupted by, the slot holds the old object or the new one, or both; asked again, it
        comes to the same end.

        Returns:
            The object that holds ``content``; None if it is empty and nothing takes the place.
        """
        by_name = name_key(item.channel, item.source, item.name)
        receipt = receipt_key(item)
        first = json.loads(read(self._store, by_name) or b"{}").get("sha256")
        if first == item.sha256 or name != item.name:
            self._store.purge(by_name)  # or the new bytes would count as a name used again
        if name != item.name:
            self._store.purge(content_key(item.channel, item.source, item.sha256))
        if hashlib.sha256(content).hexdigest() == item.sha256:
            self._store.purge(receipt)
            renamed = replace(item, name=name)
            self._store.put(receipt, _canonical(asdict(renamed)))
            failpoint("replace.renamed")
            # The same bytes, should they come again, are this object.
            claim = {"slot": item.slot, "received_at": item.received_at, "name": name}
            self._claim(content_key(item.channel, item.source, item.sha256), claim)
            self._claim_name(item.channel, item.source, name, item.sha256)
            self.seal(item.channel, item.slot)
            return renamed
        landed = None
        if content:
            landed = self.land(
                item.channel, item.source, item.slot, name, item.received_at, io.BytesIO(content)
            ).object
        failpoint("replace.landed")
        self._store.put(removal_key(item), _canonical({"key": item.key, "receipt": receipt}))
        failpoint("replace.marked")
        self._store.purge(receipt)
        failpoint("replace.receipt_removed")
        self._store.purge(mark_key(item))
        self._remove(item.channel, item.slot, item.key, removal_key(item))
        return landed

    def retire(self, item: RawObject) -> None:
        """Remove the bytes of ``item`` and keep its receipt and manifest row as a tombstone."""
        tombstone = replace(item, flags=(*item.flags, RETIRED))
        self._store.put(removal_key(item), _canonical({"key": item.key, "receipt": receipt_key(item)}))
        self._store.put(receipt_key(item), _canonical(asdict(tombstone)))
        failpoint("retire.receipt_written")
        self._remove(item.channel, item.slot, item.key, removal_key(item))

    def _remove(self, channel: str, slot: str, key: str, removal: str) -> None:
        """Let the manifest forget the bytes at ``key``, then remove them, then the mark of it."""
        self.seal(channel, slot)
        failpoint("remove.sealed")
        self._store.purge(key)
        failpoint("remove.bytes_removed")
        self._store.purge(removal)

    def leaving(self) -> dict[str, str]:
        """Keys of bytes whose removal was interrupted beyond return, each by the key of its mark."""
        found = {}
        for info in self._store.list("removals/"):
            told = json.loads(read(self._store, info.key) or b"{}")
            receipt = read(self._store, told["receipt"]) if told else None
            if told and (receipt is None or RETIRED in json.loads(receipt)["flags"]):
                found[info.key] = told["key"]
        return found

    def finish_removals(self) -> int:
        """Remove what interrupted removals have left; return how many there were."""
        leaving = self.leaving()
        for removal, key in leaving.items():
            _, channel, slot, *_ = removal.split("/")
            self._remove(channel.removeprefix("channel="), slot.removeprefix("slot="), key, removal)
        return len(leaving)

    def strays(self) -> list[str]:
        """Keys of stored bytes that no receipt stands for: what an interrupted removal or landing left.

        What is being landed this moment is among them; purged, it is landed again.
        """
        known = {
            json.loads(read(self._store, info.key) or b"{}").get("key") for info in self._store.list("receipts/")
        }
        stored = [info.key for info in self._store.list("raw/") if info.key not in known]
        return stored + sorted(self._store.unfinished())

    def open_stray(self, key: str) -> BinaryIO:
        """The bytes of a stray."""
        return self._store.open(key)

    def purge_stray(self, key: str) -> None:
        """Remove a stray with all its versions."""
        self._store.purge(key)

    def _verify(self, item: RawObject) -> None:
        found = hashlib.sha256()
        try:
            with self._store.open(item.key) as stream:
                while block := stream.read(1 << 20):
                    found.update(block)
        except FileNotFoundError:
            raise DamagedLake(f"{item.key} has a receipt but is missing: land the file again") from None
        if found.hexdigest() != item.sha256:
            raise DamagedLake(f"{item.key} is not the bytes that were received: restore it from a backup")

    def manifest(self, channel: str, slot: str) -> Manifest | None:
        """The slot's manifest, or None if it was never sealed.

        Raises:
            DamagedLake: the manifest does not match its checksum; seal the slot again.
        """
        key = manifest_key(channel, slot)
        data = read(self._store, key)
        if data is None:
            return None
        try:
            content = json.loads(data)
            checksum = hashlib.sha256(_canonical(content["objects"])).hexdigest()
            if checksum != content["checksum"]:
                raise ValueError
            return Manifest(channel, slot, tuple(_object(row) for row in content["objects"]), checksum)
        except (ValueError, KeyError, TypeError):
            raise DamagedLake(f"{key} is damaged: materialise raw/{channel} for slot {slot} again") from None

    def slots(self, channel: str) -> dict[str, str]:
        """Checksum of the manifest of every sealed slot of ``channel``."""
        result = {}
        prefix = f"manifests/channel={channel}/slot="
        for info in self._store.list(prefix):
            slot = info.key.removeprefix(prefix).removesuffix(".json")
            # The checksum is the first value of the canonical JSON: a short read tells it.
            with self._store.open(info.key) as stream:
                head = stream.read(len('{"checksum":"') + 64).decode("ascii", "replace")
            result[slot] = head.removeprefix('{"checksum":"')
        return result

    def unsealed(self, channel: str) -> list[str]:
        """Slots of ``channel`` with objects that no manifest lists, in order."""
        prefix = f"unsealed/channel={channel}/slot="
        return sorted({info.key.removeprefix(prefix).partition("/")[0] for info in self._store.list(prefix)})

    def open(self, item: RawObject) -> BinaryIO:
        """The bytes of ``item``."""
        return self._store.open(item.key)

    def read_range(self, item: RawObject, offset: int, length: int) -> bytes:
        """``length`` bytes of ``item`` from ``offset``: one record as it came."""
        with self._store.open(item.key) as stream:
            stream.seek(offset)
            return stream.read(length)
