"""Where files arrive: ``<channel>/<source>/[<slot>/]<name>`` in a drop folder or under an S3 prefix."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import BinaryIO

from resources.object_store import ObjectInfo, open_store

UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")


@dataclass(frozen=True)
class Arrival:
    """A file in the inbox; ``mark`` changes whenever the file does."""

    channel: str
    source: str
    slot: str | None
    name: str
    key: str
    size: int
    arrived_at: datetime
    mark: str


class Inbox:
    """A drop folder or prefix."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)

    def look(self, channel: str, limit: int) -> list[Arrival]:
        """Up to ``limit`` files of ``channel``, in key order.

        Passed over are unfinished and hidden files, and those whose name is not UTF-8.
        """
        found = (_arrival(info) for info in self._store.list(f"{channel}/"))
        return list(islice((arrival for arrival in found if arrival), limit))

    def open(self, arrival: Arrival) -> BinaryIO:
        """The file's bytes."""
        return self._store.open(arrival.key)

    def remove(self, arrival: Arrival) -> None:
        """Forget the file, once it is safe in the lake."""
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
