"""How pushed messages become raw objects: their bytes stay exactly as they came."""

import codecs
from collections.abc import Iterable

OBJECT_BYTES = 16 << 20
"""Size at which an object of lines is full."""


def as_objects(bodies: Iterable[bytes], *, lines: bool) -> list[bytes]:
    """The raw objects that hold ``bodies``; the same messages in any order give the same objects.

    Where a source delivers documents by the line (``lines``), messages that are one line each lie in one
    object, each with a line feed behind it, so that offset and length of a record are those of its message.
    Any other message is an object of its own.
    """
    objects: list[bytes] = []
    joined: list[bytes] = []
    size = 0
    for body in sorted(bodies):
        if not (lines and _is_line(body)):
            objects.append(body)
            continue
        joined.append(body + b"\n")
        size += len(joined[-1])
        if size >= OBJECT_BYTES:
            objects.append(b"".join(joined))
            joined, size = [], 0
    return [*objects, b"".join(joined)] if joined else objects


def _is_line(body: bytes) -> bool:
    # A mark or a carriage return at its edge would be taken for one of the object or of the line's end.
    return b"\n" not in body and not body.endswith(b"\r") and not body.startswith(codecs.BOM_UTF8)
