"""Reading XML: one document whose repeated elements are records, through expat and without entities.

A record becomes fields as in JSON: attributes are ``@name``, children their names, repeated ones a list, and
text beside them ``#text``. What is no XML spoils its own record: reading goes on at the next one.
"""

import re
from typing import Any, BinaryIO
from xml.parsers import expat  # document types are refused, so there is no entity to expand

from complaint_assets.logic.contract import Contract

from .parse_json import MAX_DEPTH
from .records import MAX_RECORD, Entries, Record, Refused, mark_length

_CHUNK = 1 << 16
_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*+>""")


class _Forbidden(Exception):
    """The document brings a document type."""


class _Element:
    __slots__ = ("fields", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.fields: dict[str, Any] = {f"@{key}": value for key, value in attributes.items()}
        self.text: list[str] = []

    def add(self, name: str, value: Any) -> None:
        if name not in self.fields:
            self.fields[name] = value
        elif isinstance(self.fields[name], list):
            self.fields[name].append(value)
        else:
            self.fields[name] = [self.fields[name], value]

    def value(self) -> Any:
        text = "".join(self.text)
        if not self.fields:
            return text
        if text.strip():
            self.fields["#text"] = text
        return self.fields


class _Document:
    """A run of expat over a document, or over what follows a broken record of it.

    ``start`` is where in the object it begins; ``found`` collects entries as they end.
    """

    def __init__(self, path: list[str], encoding: str, start: int, *, inside: bool) -> None:
        self._path = path
        self._start = start
        self._names: list[str] = []
        self._open: list[_Element] = []
        self._record_at: int | None = None
        self._fault: str | None = None
        self._held = b""
        self._held_at = 0
        self.found: list[Record | Refused] = []
        parser = self._parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse
        if inside:
            opening = "".join(f"<{name}>" for name in path[:-1]).encode(encoding)
            parser.Parse(opening, False)
            self._held_at = len(opening)
            self._start -= len(opening)

    def feed(self, chunk: bytes, *, last: bool) -> None:
        """Read on.

        Raises:
            expat.ExpatError: the document is broken, or one of its tags has no end.
            _Forbidden
        """
        self._held += chunk
        self._parser.Parse(chunk, last)
        done = self._parser.CurrentByteIndex
        self._held, self._held_at = self._held[done - self._held_at :], done
        if len(self._held) > MAX_RECORD:
            raise expat.ExpatError("oversize")

    def broken_at(self) -> int:
        """Where in the object the record that broke the document begins, or where the document broke."""
        return self._start + self._parser.CurrentByteIndex if self._record_at is None else self._record_at

    def unread(self) -> tuple[int, bytes]:
        """What is held: where in the object it lies, and the bytes."""
        return self._start + self._held_at, self._held

    def _refuse(self, *_: Any) -> None:
        raise _Forbidden

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._names.append(name)
        if self._record_at is not None:
            if name == self._path[-1]:
                raise expat.ExpatError("a record begins inside of another: the end of the first is lost")
            self._weigh(len(self._open) > MAX_DEPTH)
            if self._fault is None:
                self._open.append(_Element(name, attributes))
        elif self._names == self._path:
            self._record_at, self._fault = self._start + self._parser.CurrentByteIndex, None
            self._open = [_Element(name, attributes)]

    def _weigh(self, too_deep: bool) -> None:
        at = self._start + self._parser.CurrentByteIndex
        if self._record_at is not None and at - self._record_at > MAX_RECORD:
            self._fault = self._fault or "oversize"
        elif too_deep:
            self._fault = self._fault or "malformed"
        if self._fault:
            self._open = []

    def _characters(self, text: str) -> None:
        if self._record_at is not None:
            self._weigh(False)
            if self._open:
                self._open[-1].text.append(text)

    def _end(self, name: str) -> None:
        self._names.pop()
        if self._record_at is None:
            return
        if self._names != self._path[:-1]:
            if self._open:
                inner = self._open.pop()
                self._open[-1].add(name, inner.value())
            return
        index = self._parser.CurrentByteIndex
        tag = _TAG.match(self._held, index - self._held_at)
        ends = self._start + (self._held_at + tag.end() if tag else index)
        length = ends - self._record_at
        if length > MAX_RECORD or self._fault:
            self.found.append(Refused(self._record_at, length, 0, self._fault or "oversize"))
        else:
            value = self._open[0].value()
            fields = value if isinstance(value, dict) else {"#text": value}
            self.found.append(Record(self._record_at, length, 0, fields))
        self._record_at = None


def read_xml(stream: BinaryIO, contract: Contract) -> Entries:
    form = contract.format
    path = [step.removesuffix("[]") for step in (form.records or "").split(".")]
    record = re.compile(rb"<" + re.escape(path[-1]).encode(form.encoding) + rb"[\s/>]")
    chunk = stream.read(_CHUNK)
    mark_length(chunk, form.encoding)
    document = _Document(path, form.encoding, 0, inside=False)
    size = 0
    while True:
        size += len(chunk)
        try:
            document.feed(chunk, last=not chunk)
            yield from document.found
            document.found.clear()
            if not chunk:
                return
            chunk = stream.read(_CHUNK)
            continue
        except _Forbidden:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
            yield Refused(0, size, 0, "malformed", "DOCTYPE")
            return
        except expat.ExpatError as error:
            reason = "oversize" if str(error) == "oversize" else "malformed"
        yield from document.found
        begins = document.broken_at()
        at, held = document.unread()
        # Go on at the next record, if there is one.
        skip = begins + 1 - at if begins >= at else 0
        while not (found := record.search(held, max(0, skip))):
            keep = min(len(held), len(path[-1]) + 2)
            at, held, skip = at + len(held) - keep, held[len(held) - keep :], max(0, skip - len(held) + keep)
            more = stream.read(_CHUNK)
            if not more:
                yield Refused(begins, size - begins, 0, reason)
                return
            held, size = held + more, size + len(more)
        resume = at + found.start()
        yield Refused(begins, resume - begins, 0, reason)
        document = _Document(path, form.encoding, resume, inside=True)
        chunk, size = held[found.start() :], size - len(held) + found.start()
