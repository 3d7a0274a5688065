"""Files that people write (contracts, rules, metrics, routes, holidays ...): bounded YAML, and its JSON Schema."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

MOST_BYTES = 4_000_000


class UnfitFile(ValueError):
    """A file that somebody wrote is wrong; the message names the file, the place and what is allowed there."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
    """The safe loader, in C where there is one, that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(twice)} is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def load_yaml(file: Path, error: type[UnfitFile]) -> Any:
    """The content of ``file``, whatever it says.

    Raises:
        UnfitFile: as ``error``: the file is missing, too large, or no YAML; the message names file and line.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise error(f"{file}: larger than {MOST_BYTES} bytes")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise error(f"{file}: cannot be read: {type(fault).__name__}") from None
    try:
        # A few references to references stand for gigabytes, and no such file needs any.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            raise ValueError("references (*name) are not taken; write it out")
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as fault:
        # Without the lines around: somebody may have put a secret there.
        line = f" in line {fault.problem_mark.line + 1}" if fault.problem_mark else ""
        raise error(f"{file}: not readable as YAML{line}: {fault.problem}") from None
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as fault:
        raise error(f"{file}: not readable as YAML: {fault}") from None


def read_yaml(
    file: Path,
    schema: Path,
    error: type[UnfitFile],
    part: str | None = None,
    told: "Callable[[ValidationError], str] | None" = None,
) -> Any:
    """The content of ``file``: dates as text, keys as strings.

    Args:
        file: what to read.
        schema: JSON Schema (draft 2020-12) that it must fit.
        error: what to raise.
        part: the definition (``$defs``) of the schema that speaks of this file; None = the whole.
        told: what to say of a fault, behind its place; None = what is wrong and what is allowed.

    Raises:
        UnfitFile: as ``error``: as ``load_yaml``, or the content breaks the schema; a line for each fault names
            the file, the key and what is allowed there.
    """
    try:
        # Through JSON, in which keys are strings and dates texts, as schemas expect.
        data = json.loads(json.dumps(load_yaml(file, error), default=str))
    except TypeError as fault:
        raise error(f"{file}: keys must be plain words: {fault}") from None
    faults = sorted(
        _validator(schema, part).iter_errors(data), key=lambda fault: (len(fault.path), list(map(str, fault.path)))
    )
    if faults:
        raise error("\n".join(f"{file}: {_where(data, fault)}: {(told or _explain)(fault)}" for fault in faults))
    return data


@cache
def _validator(schema: Path, part: str | None) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # slow to import, needed only where such files are read

    content = json.loads(schema.read_text(encoding="utf-8"))
    return Draft202012Validator({**content, "$ref": f"#/$defs/{part}"} if part else content)


def _explain(fault: "ValidationError") -> str:
    """What is wrong, and what is allowed there, in one line."""
    schema: Any = fault.schema
    instance: Any = fault.instance
    message = fault.message
    if fault.validator == "additionalProperties" and "properties" in schema:
        unknown = ", ".join(repr(key) for key in sorted(instance) if key not in schema["properties"])
        message = f"unknown key {unknown}; allowed are {', '.join(sorted(schema['properties']))}"
    hint = schema.get("description", "") if isinstance(schema, dict) and fault.absolute_path else ""
    return message + (f" ({hint})" if hint else "")


def _where(data: Any, fault: "ValidationError") -> str:
    """The place as ``a.b[0]``; an entry of a list that has an id is called by it."""
    where = ""
    for step in fault.absolute_path:
        data = data[step]
        named = data["id"] if isinstance(step, int) and isinstance(data, dict) and "id" in data else step
        where += f"[{named}]" if isinstance(named, int) else f".{named}"
    return where.lstrip(".") or "the file"
