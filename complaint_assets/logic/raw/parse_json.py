"""Reading JSON: one document a line, or one array of documents; several records may lie in one document."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from complaint_assets.logic.contract import Contract, Format

from .records import MAX_RECORD, Entries, Lines, Record, Refused, content, decode, mark_length, shown

MAX_DEPTH = 64
"""Levels of nesting in a document."""

_JSON = json.JSONDecoder(parse_constant=lambda _name: None)  # NaN and Infinity mean missing
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
_WHITE = " \t\r\n\f\v"


def _document(text: str, damaged: bool) -> tuple[Any, bool]:
    r"""The JSON document ``text``, and whether it is damaged; half of a \ud83d\ude00 pair is no character.

    Raises:
        ValueError, RecursionError: it is broken or nested too deeply.
    """
    if text.count("{") + text.count("[") > MAX_DEPTH:
        depth = 0
        for token in _TOKEN.finditer(text):
            depth += (token[0] in "[{") - (token[0] in "]}")
            if depth > MAX_DEPTH:
                raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    value = _JSON.decode(text)
    if damaged or "\\ud" in text or "\\uD" in text:
        clean = shown(value)
        return clean, damaged or clean != value
    return value, False


def _records_in(text: str, damaged: bool, form: Format, offset: int, length: int) -> Entries:
    """The records in one JSON document that lies at ``offset``."""
    try:
        document, damaged = _document(text, damaged)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        yield Refused(offset, length, 0, "malformed")
        return
    if form.records is None:
        yield Record(offset, length, 0, document, damaged)
        return
    for ordinal, fields in enumerate(_narrow(document, form.records.split("."))):
        if fields is None:
            yield Refused(offset, length, ordinal, "malformed")
        else:
            yield Record(offset, length, ordinal, fields, damaged)


def _narrow(node: dict[str, Any], steps: Sequence[str]) -> Iterator[dict[str, Any] | None]:
    """``node`` once per record, with each list on the way narrowed to one element.

    None stands for a record to which the way is broken.
    """
    name = steps[0].removesuffix("[]")
    inner = node.get(name)
    if len(steps) == 1 and inner is None:
        return
    elements = [inner]
    if steps[0].endswith("[]"):
        elements = inner if isinstance(inner, list) else [None]
    for element in elements:
        if not isinstance(element, dict):
            yield None
        elif len(steps) == 1:
            yield {**node, name: element}
        else:
            for narrowed in _narrow(element, steps[1:]):
                yield None if narrowed is None else {**node, name: narrowed}


def read_jsonl(stream: BinaryIO, contract: Contract) -> Entries:
    form = contract.format
    for line in Lines(stream, form.encoding):
        if line.text is None:
            yield Refused(line.offset, line.size, 0, "oversize")
            continue
        text = content(line.text)
        if text.strip(_WHITE):
            yield from _records_in(text, line.damaged, form, line.offset, line.size - line.end)


def read_json(stream: BinaryIO, contract: Contract) -> Entries:
    form = contract.format
    array = _Array(stream, form.encoding)
    if array.peek() != b"[":
        yield Refused(0, array.rest(), 0, "malformed")
        return
    array.step()
    while array.peek() != b"]":
        offset = array.offset
        raw, length = array.element()
        if not length:
            yield Refused(offset, array.rest() - offset, 0, "malformed")
            return
        if raw is None:
            yield Refused(offset, length, 0, "oversize")
        else:
            yield from _records_in(*decode(raw, form.encoding), form, offset, length)
        if array.peek() == b",":
            array.step()
        elif array.peek() != b"]":
            offset = array.offset
            yield Refused(offset, array.rest() - offset, 0, "malformed")
            return
    array.step()
    if array.peek():
        offset = array.offset
        yield Refused(offset, array.rest() - offset, 0, "malformed")


_CHUNK = 1 << 18
_SPACE = re.compile(rb"[ \t\r\n]*+")
_MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)


class _Array:
    """The elements of a JSON array by their brackets, of which no more is held than a record may be long.

    Brackets, quotes and commas are single bytes in every encoding in which JSON is read.
    """

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._held = stream.read(_CHUNK)
        self._base = 0
        self._at = mark_length(self._held, encoding)

    @property
    def offset(self) -> int:
        """Where in the object the next byte lies."""
        return self._base + self._at

    def _drop(self, count: int) -> None:
        self._held = self._held[count:]
        self._base += count
        self._at = 0

    def _more(self) -> bool:
        chunk = self._stream.read(_CHUNK)
        self._held += chunk
        return bool(chunk)

    def step(self) -> None:
        """Go one byte on."""
        self._at += 1

    def peek(self) -> bytes:
        """The next byte that is no white space, nothing at the end."""
        while True:
            space = _SPACE.match(self._held, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._held):
                return self._held[self._at : self._at + 1]
            self._drop(self._at)
            if not self._more():
                return b""

    def rest(self) -> int:
        """Size of the object, after reading what is left of it."""
        self._drop(len(self._held))
        while self._more():
            self._drop(len(self._held))
        return self._base

    def element(self) -> tuple[bytes | None, int]:
        """The element that begins here, None if it is too long for a record, and its length.

        The length is 0 if there is none, or if it has no end.
        """
        self._drop(self._at)
        start, depth, position = self._base, 0, 0
        while True:
            for mark in _MARK.finditer(self._held, position):
                kind = self._held[mark.start()]
                if kind == 0x22 and mark.end() - mark.start() == 1:
                    position = mark.start()  # a string that goes on beyond what is held
                    break
                position = mark.end()
                if kind in b"[{":
                    depth += 1
                elif kind in b"]}" and depth > 0:
                    depth -= 1
                    if depth == 0:
                        return self._taken(start, mark.end())
                elif kind in b"]},," and depth == 0:
                    return self._taken(start, mark.start())
            else:
                position = len(self._held)
            if self._base > start or len(self._held) > MAX_RECORD:
                position = self._skip(position)
                if position < len(self._held):
                    continue
            if not self._more():
                return None, 0

    def _skip(self, position: int) -> int:
        """Let go of what is held up to ``position``, and of the string that begins there; where to go on."""
        self._drop(position)
        if not self._held:
            return 0
        self._drop(1)
        while not (ends := _STRING_REST.match(self._held)):
            # A backslash at the end waits for what it escapes.
            waiting = (len(self._held) - len(self._held.rstrip(b"\\"))) % 2
            self._drop(len(self._held) - waiting)
            if not self._more():
                return len(self._held)
        return ends.end()

    def _taken(self, start: int, end: int) -> tuple[bytes | None, int]:
        raw = self._held[:end].rstrip(b" \t\r\n")
        self._at = end
        length = self._base + len(raw) - start
        return (None if self._base > start or length > MAX_RECORD else raw), length
