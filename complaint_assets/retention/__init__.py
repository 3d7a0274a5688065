"""Retention policies as data, one YAML file per jurisdiction, and their loader."""

import json
from pathlib import Path

import yaml

from complaint_assets.logic.privacy.retention import Policy, policy_of

BUILT_IN = Path(__file__).parent


class PolicyError(ValueError):
    """A policy file is wrong; the message names the file and what is at fault."""


def load_policy(country: str, file: Path | None = None) -> Policy:
    """The policy in ``file``, else the built-in one of ``country``, else the default.

    Raises:
        PolicyError: the file cannot be read, breaks the JSON Schema, leaves a class of data without a rule, or
            contradicts itself.
    """
    path = file or BUILT_IN / f"{country.lower()}.yaml"
    if file is None and not path.exists():
        path = BUILT_IN / "default.yaml"
    from jsonschema import Draft202012Validator  # slow to import, needed only where the policy is read

    try:
        data = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise PolicyError(f"{path}: not readable as YAML: {type(error).__name__}") from error
    schema = json.loads((BUILT_IN / "policy.schema.json").read_text(encoding="utf-8"))
    faults = sorted(Draft202012Validator(schema).iter_errors(data), key=lambda fault: list(map(str, fault.path)))
    if faults:
        raise PolicyError("\n".join(f"{path}: {fault.json_path}: {fault.message}" for fault in faults))
    if data["jurisdiction"] not in (country, "default"):
        raise PolicyError(f"{path}: jurisdiction: {data['jurisdiction']} is not {country} (COMPLAINTS_COUNTRY)")
    try:
        return policy_of(data)
    except ValueError as error:
        raise PolicyError(f"{path}: {error}") from error
