"""Where files arrive: ``<channel>/<source>/[<slot>/]<name>`` in a drop folder or under an S3 prefix.

Beside a file may lie ``<name>.sha256``, its checksum as ``sha256sum`` writes it: a promise, and no data itself.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from resources.object_store import ObjectInfo, open_store

UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")
SIDECAR = ".sha256"
SIDECAR_BYTES = 200
_PROMISE = re.compile(rb"\\?([0-9a-fA-F]{64})(?:\s|$)")


@dataclass(frozen=True)
class Arrival:
    """A file in the inbox; ``mark`` changes whenever the file or its ``sidecar`` (a key) does."""

    channel: str
    source: str
    slot: str | None
    name: str
    key: str
    size: int
    arrived_at: datetime
    mark: str
    sidecar: str | None = None


class Inbox:
    """A drop folder or prefix."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)

    def look(self, channel: str, limit: int) -> list[Arrival]:
        """Up to ``limit`` files of ``channel``, in key order.

        Passed over are unfinished and hidden files, and those whose name is not UTF-8.
        """
        found: dict[str, Arrival] = {}
        sidecars: dict[str, ObjectInfo] = {}
        last = ""
        for info in self._store.list(f"{channel}/"):
            if info.key.endswith(SIDECAR):
                sidecars[info.key.removesuffix(SIDECAR)] = info
            elif len(found) < limit:
                arrival = _arrival(info)
                if arrival:
                    found[info.key] = arrival
                    last = info.key + SIDECAR
            if len(found) >= limit and info.key > last:
                break  # what comes now is no sidecar of what was found
        for key in found.keys() & sidecars.keys():
            sidecar = sidecars[key]
            found[key] = replace(found[key], sidecar=sidecar.key, mark=f"{found[key].mark}+{sidecar.version}")
        return list(found.values())

    def promised(self, arrival: Arrival) -> str | None:
        """The SHA-256 (hex) in the file's sidecar; "" if none can be read there, None without a sidecar."""
        if arrival.sidecar is None:
            return None
        with self._store.open(arrival.sidecar) as stream:
            found = _PROMISE.match(stream.read(SIDECAR_BYTES))
        return found[1].decode().lower() if found else ""

    def open(self, arrival: Arrival) -> BinaryIO:
        """The file's bytes."""
        return self._store.open(arrival.key)

    def remove(self, arrival: Arrival) -> None:
        """Forget the file, once it is safe in the lake."""
        # The promise first: left behind by a kill, it would be held against the next file of that name.
        if arrival.sidecar:
            self._store.delete(arrival.sidecar)
        self._store.delete(arrival.key)

    def drop(self, channel: str, source: str, name: str, stream: BinaryIO, slot: str | None = None) -> bool:
        """Put a finished file into the inbox; False if one of that name lies there."""
        parts = [channel, source, slot, name] if slot else [channel, source, name]
        return self._store.put_if_absent("/".join(parts), stream)


def _arrival(info: ObjectInfo) -> Arrival | None:
    parts = info.key.split("/")
    name = parts[-1]
    if len(parts) not in (3, 4) or name.endswith(UNFINISHED) or any(part.startswith(".") for part in parts):
        return None
    if info.key != info.key.encode(errors="ignore").decode():
        return None
    slot = parts[2] if len(parts) == 4 else None
    return Arrival(parts[0], parts[1], slot, name, info.key, info.size, info.arrived_at, info.version)
