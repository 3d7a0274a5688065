"""Proof of a raw lake: every object is hashed again, and what can be told from the objects is rebuilt.

Bytes are the one thing that cannot be rebuilt. Receipts are rebuilt from the manifests, else from the index, else
from the name of the object; manifests from the receipts; the index from both. Of
what an erasure or retention is removing nothing is made again.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from resources.lake import (
    NAME_REUSED,
    RETIRED,
    DamagedLake,
    Lake,
    RawObject,
    _canonical,
    _object,
    content_key,
    manifest_key,
    mark_key,
    name_key,
    receipt_key,
)
from resources.object_store import COPY_BYTES, ObjectInfo, ObjectStore, open_store, read

_OBJECT = re.compile(r"raw/channel=([^/]+)/source=([^/]+)/slot=([^/]+)/([0-9a-f]{64})(?:\.[a-z0-9.]*)?")
_MANIFEST = re.compile(r"manifests/channel=([^/]+)/slot=([^/]+)\.json")


@dataclass
class Verified:
    """What was found: ``damaged`` names objects whose bytes are wrong or gone, ``rebuilt`` what was made again."""

    objects: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    rebuilt: list[str] = field(default_factory=list)


def verify(url: str, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Verified:
    """Hash every object of the lake at ``url`` and rebuild what is lost or damaged beside them.

    Landing may go on meanwhile. ``progress`` is told the bytes that are done and their total.
    """
    return _Verifier(url).run(progress)


class _Verifier:
    def __init__(self, url: str) -> None:
        self._store: ObjectStore = open_store(url)
        self._lake = Lake(url)
        self._found = Verified()
        self._intact: dict[str, ObjectInfo] = {}
        self._in_manifest: dict[str, RawObject] = {}
        self._torn_slots: set[tuple[str, str]] = set()
        self._received: dict[str, RawObject] = {}

    def run(self, progress: Callable[[int, int], None]) -> Verified:
        # Records before objects: whatever a record tells of was stored before it, so it must be there.
        self._read_manifests()
        self._read_receipts()
        self._hash_objects(progress)
        known = (self._in_manifest | self._received).values()
        # Retention leaves the receipt of what it has removed.
        told = {item.key for item in known if RETIRED not in item.flags}
        self._found.damaged += [f"{key}: missing" for key in sorted(told - self._seen)]
        for key in self._lake.leaving().values():
            self._intact.pop(key, None)
        self._rebuild_index()
        self._rebuild_receipts()
        self._rebuild_manifests()
        return self._found

    def _read_manifests(self) -> None:
        for info in self._store.list("manifests/"):
            named = _MANIFEST.fullmatch(info.key)
            if not named:
                continue
            channel, slot = named.groups()
            try:
                manifest = self._lake.manifest(channel, slot)
            except DamagedLake:
                self._torn_slots.add((channel, slot))
            else:
                self._in_manifest |= {item.key: item for item in manifest.objects} if manifest else {}

    def _read_receipts(self) -> None:
        for info in self._store.list("receipts/"):
            try:
                item = _object(json.loads(read(self._store, info.key) or b""))
            except (ValueError, KeyError, TypeError):
                continue
            if receipt_key(item) == info.key:
                self._received[item.key] = item

    def _hash_objects(self, progress: Callable[[int, int], None]) -> None:
        infos = list(self._store.list("raw/"))
        self._seen = {info.key for info in infos}
        total = sum(info.size for info in infos)
        for info in infos:
            named = _OBJECT.fullmatch(info.key)
            if named is None:
                self._found.damaged.append(f"{info.key}: not the name of an object")
            elif self._sha256(info.key) != named[4]:
                self._found.damaged.append(f"{info.key}: not the bytes that were received")
            else:
                self._intact[info.key] = info
            self._found.objects += 1
            self._found.bytes += info.size
            progress(self._found.bytes, total)

    def _sha256(self, key: str) -> str | None:
        found = hashlib.sha256()
        try:
            with self._store.open(key) as stream:
                while block := stream.read(COPY_BYTES):
                    found.update(block)
        except FileNotFoundError:
            return None
        return found.hexdigest()

    def _item(self, key: str) -> RawObject:
        """What is known of the object ``key``, from the best witness that is left."""
        known = self._received.get(key) or self._in_manifest.get(key)
        if known:
            return known
        named = _OBJECT.fullmatch(key)
        assert named  # noqa: S101 - only such keys are intact
        channel, source, slot, sha256 = named.groups()
        info = self._intact[key]
        name, received_at = key.rpartition("/")[2], info.arrived_at
        claim = self._json(content_key(channel, source, sha256))
        item = RawObject(channel, source, slot, sha256, name, key, info.size, received_at)
        if claim and claim.get("slot") == slot:
            item = _object({**asdict(item), "name": claim["name"], "received_at": claim["received_at"]})
        first = self._json(name_key(channel, source, item.name))
        reused = first is not None and first.get("sha256") != sha256
        return _object(
            {**asdict(item), "received_at": item.received_at.isoformat(), "flags": [NAME_REUSED] * reused}
        )

    def _json(self, key: str) -> dict[str, str] | None:
        try:
            value = json.loads(read(self._store, key) or b"")
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def _rebuild_index(self) -> None:
        """What makes the same bytes one object, and tells a name that comes again."""
        standing = {info.key for info in self._store.list("index/") if info.size}
        for item in sorted(map(self._item, self._intact), key=lambda item: (item.received_at, item.sha256)):
            content = {"slot": item.slot, "received_at": item.received_at, "name": item.name}
            for key, value in (
                (content_key(item.channel, item.source, item.sha256), content),
                (name_key(item.channel, item.source, item.name), {"sha256": item.sha256}),
            ):
                if key not in standing:
                    self._put(key, _canonical(value))
                    standing.add(key)

    def _rebuild_receipts(self) -> None:
        tombstones = {key for key, item in self._in_manifest.items() if RETIRED in item.flags}
        for key in sorted((self._intact.keys() | tombstones) - self._received.keys()):
            item = self._item(key)
            self._put(receipt_key(item), _canonical(asdict(item)))

    def _rebuild_manifests(self) -> None:
        marks = {info.key for info in self._store.list("unsealed/")}
        slots = set(self._torn_slots)
        for key in self._intact:
            item = self._item(key)
            # An object with a mark is new: its slot is sealed by the next run.
            if key not in self._in_manifest and mark_key(item) not in marks:
                slots.add((item.channel, item.slot))
        for channel, slot in sorted(slots):
            try:
                self._lake.seal(channel, slot)
            except DamagedLake:
                continue  # its damage is named already; the slot can be sealed when that is mended
            self._found.rebuilt.append(manifest_key(channel, slot))

    def _put(self, key: str, data: bytes) -> None:
        self._store.put(key, data)
        self._found.rebuilt.append(key)
