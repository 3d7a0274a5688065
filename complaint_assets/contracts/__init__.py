"""Built-in source contracts, one YAML file per feed, and the loader of contract folders."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from complaint_assets.logic.standardised.contract import Contract, build_contract

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

BUILT_IN = Path(__file__).parent


class ContractError(ValueError):
    """A contract file is wrong; the message names the file, the key and what is allowed there."""


def load_contracts(folders: Sequence[Path] = ()) -> dict[tuple[str, str], Contract]:
    """Every contract by (channel, source): the built-in ones and those of ``folders``.

    A folder holds ``<channel>/<source>.yaml``.

    Raises:
        ContractError: a folder is missing, a file is wrong, or two files describe the same source.
    """
    contracts: dict[tuple[str, str], Contract] = {}
    files: dict[tuple[str, str], Path] = {}
    for folder in (BUILT_IN, *folders):
        if not folder.is_dir():
            raise ContractError(f"{folder}: no such folder; correct COMPLAINTS_CONTRACTS")
        for file in sorted(folder.glob("*/*.yaml")):
            contract = load_contract(file)
            key = (contract.channel, contract.source)
            if key in files:
                raise ContractError(
                    f"{file}: {'/'.join(key)} is already described by {files[key]}; name it otherwise"
                )
            contracts[key], files[key] = contract, file
    return contracts


def load_contract(file: Path) -> Contract:
    """The contract in ``file``.

    Raises:
        ContractError: it cannot be read, breaks the JSON Schema, contradicts itself, or lies elsewhere.
    """
    try:
        # Through JSON: dates become text and keys become strings, as the schema and the model expect.
        data = json.loads(json.dumps(yaml.safe_load(file.read_text(encoding="utf-8")), default=str))
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise ContractError(f"{file}: not readable as YAML: {error}") from error
    faults = sorted(
        _validator().iter_errors(data), key=lambda fault: (len(fault.path), list(map(str, fault.path)))
    )
    if faults:
        raise ContractError("\n".join(f"{file}: {_explain(fault)}" for fault in faults))
    for key, expected in (("channel", file.parent.name), ("source", file.stem)):
        if data[key] != expected:
            raise ContractError(f"{file}: {key}: {data[key]!r} must be {expected!r}, as the file is named")
    try:
        return build_contract(data)
    except ValueError as error:
        raise ContractError(f"{file}: {error}") from error


@cache
def _validator() -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # slow to import, needed only where contracts are read

    return Draft202012Validator(json.loads((BUILT_IN / "contract.schema.json").read_text(encoding="utf-8")))


def _explain(fault: "ValidationError") -> str:
    """Key path and what is allowed there, in one line."""
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.absolute_path).lstrip(
        "."
    )
    message = fault.message
    schema: Any = fault.schema
    instance: Any = fault.instance
    if fault.validator == "additionalProperties" and "properties" in schema:
        unknown = ", ".join(repr(key) for key in sorted(instance) if key not in schema["properties"])
        message = f"unknown key {unknown}; allowed are {', '.join(sorted(schema['properties']))}"
    hint = schema.get("description", "") if isinstance(schema, dict) and where else ""
    return f"{where or 'the file'}: {message}" + (f" ({hint})" if hint else "")
