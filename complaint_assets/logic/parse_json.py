"""Reading JSON: one document a line, or one array of documents; several records may lie in one document."""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from .contract import Contract, Format
from .records import MAX_RECORD, Entries, Lines, Record, Refused, line_content, read_whole

MAX_DEPTH = 64
"""Levels of nesting in a document."""

_JSON = json.JSONDecoder(parse_constant=lambda _name: None)  # NaN and Infinity mean missing
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


def _nesting(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """Position and depth after every bracket of the JSON ``text`` outside of strings."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        else:
            continue
        yield token.end(), depth


def _check_depth(text: str) -> None:
    if text.count("{") + text.count("[") > MAX_DEPTH and any(depth > MAX_DEPTH for _, depth in _nesting(text)):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _without_lone_surrogates(text: str, value: Any) -> Any:
    r"""``value`` as read from ``text``; half of a \ud83d\ude00 pair is no character and becomes "?"."""
    if "\\ud" not in text and "\\uD" not in text:
        return value
    return _JSON.decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8"))


def _records_in(document: Any, form: Format, offset: int, length: int) -> Entries:
    """The records in one JSON document that lies at ``offset``."""
    if not isinstance(document, dict):
        yield Refused(offset, length, 0, "malformed")
        return
    if form.records is None:
        yield Record(offset, length, 0, document)
        return
    for ordinal, fields in enumerate(_narrow(document, form.records.split("."))):
        if fields is None:
            yield Refused(offset, length, ordinal, "malformed")
        else:
            yield Record(offset, length, ordinal, fields)


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
    for line in Lines(stream):
        if line.raw is None:
            yield Refused(line.offset, line.size, 0, "oversize")
            continue
        raw = line_content(line.raw)
        if not raw.strip():
            continue
        try:
            text = raw.decode(form.encoding)
            _check_depth(text)
            document = _without_lone_surrogates(text, _JSON.decode(text))
        except UnicodeDecodeError:
            yield Refused(line.offset, len(raw), 0, "undecodable")
        except (ValueError, RecursionError):
            yield Refused(line.offset, len(raw), 0, "malformed")
        else:
            yield from _records_in(document, form, line.offset, len(raw))


_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR_END = re.compile(r"(?=[,\]])")


def read_json(stream: BinaryIO, contract: Contract) -> Entries:
    content, size = read_whole(stream)
    if content is None:
        yield Refused(0, size, 0, "oversize")
        return
    form = contract.format
    offset = len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0
    # Bytes that cannot be decoded spoil their own record only: they travel as lone surrogates until then.
    text = content[offset:].decode(form.encoding, "surrogateescape")
    del content
    measured = 0

    def byte_at(position: int) -> int:
        nonlocal offset, measured
        offset += len(text[measured:position].encode(form.encoding, "surrogateescape"))
        measured = position
        return offset

    position = _skip_space(text, 0)
    if not text.startswith("[", position):
        yield Refused(0, size, 0, "malformed")
        return
    position = _skip_space(text, position + 1)
    while not text.startswith("]", position):
        start = byte_at(position)
        end, document = _element(text, position)
        if end is None:
            yield Refused(start, size - start, 0, "malformed")
            return
        length = byte_at(end) - start
        reason = _fault(text[position:end], form, length)
        if reason:
            yield Refused(start, length, 0, reason)
        else:
            yield from _records_in(_without_lone_surrogates(text[position:end], document), form, start, length)
        position = _skip_space(text, end)
        if text.startswith(",", position):
            position = _skip_space(text, position + 1)
        elif not text.startswith("]", position):
            start = byte_at(position)
            yield Refused(start, size - start, 0, "malformed")
            return
    if text[position + 1 :].strip():
        start = byte_at(position + 1)
        yield Refused(start, size - start, 0, "malformed")


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _element(text: str, start: int) -> tuple[int | None, Any]:
    """Where the array element that begins at ``start`` ends, and what it is: None if it is broken.

    The end is None as well if it cannot be told.
    """
    try:
        document, end = _JSON.raw_decode(text, start)
    except (ValueError, RecursionError):
        if text[start : start + 1] in ("{", "["):
            return next((end for end, depth in _nesting(text, start) if depth == 0), None), None
        found = _SCALAR_END.search(text, start)
        return (found.start() if found and found.start() > start else None), None
    return end, document


def _fault(text: str, form: Format, length: int) -> str | None:
    """Why the array element ``text`` cannot be taken, whatever it holds."""
    if length > MAX_RECORD:
        return "oversize"
    try:
        text.encode(form.encoding)
        _check_depth(text)
    except UnicodeEncodeError:
        return "undecodable"
    except ValueError:
        return "malformed"
    return None
