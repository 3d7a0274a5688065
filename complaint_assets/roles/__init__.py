"""The roles as data, one YAML file, and its loader."""

import json
from functools import cache
from pathlib import Path

import yaml

from complaint_assets.logic.marts.roles import Roles, roles_of
from complaint_assets.metrics import load_metrics

BUILT_IN = Path(__file__).parent


class RoleError(ValueError):
    """The file of roles is wrong; the message names the file and what is at fault."""


@cache
def load_roles(file: Path = BUILT_IN / "roles.yaml") -> Roles:
    """The roles in ``file``.

    Raises:
        RoleError: the file cannot be read, breaks the JSON Schema, or names an unknown metric or dimension.
    """
    from jsonschema import Draft202012Validator  # slow to import

    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RoleError(f"{file}: not readable as YAML: {type(error).__name__}") from error
    schema = json.loads((BUILT_IN / "roles.schema.json").read_text(encoding="utf-8"))
    faults = sorted(Draft202012Validator(schema).iter_errors(data), key=lambda fault: list(map(str, fault.path)))
    if faults:
        raise RoleError("\n".join(f"{file}: {fault.json_path}: {fault.message}" for fault in faults))
    try:
        return roles_of(data, load_metrics())
    except ValueError as error:
        raise RoleError(f"{file}: {error}") from error
