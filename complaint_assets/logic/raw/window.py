"""A part of a file as a file of its own."""

import io
from typing import BinaryIO, cast

_CHUNK = 1 << 18


def window(file: BinaryIO, start: int, size: int) -> BinaryIO:
    """``size`` bytes of ``file`` from ``start``; ``file`` stays open when it is closed."""
    return cast("BinaryIO", io.BufferedReader(_Window(file, start, size), _CHUNK))


class _Window(io.RawIOBase):
    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._at)
        block = self._file.read(min(len(buffer), max(0, self._size - self._at)))
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)
