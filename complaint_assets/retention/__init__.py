"""Retention policies as data, one YAML file per jurisdiction, and their loader."""

from pathlib import Path

from complaint_assets.logic.privacy.retention import Policy, policy_of
from resources.yaml_file import UnfitFile, read_yaml

BUILT_IN = Path(__file__).parent


class PolicyError(UnfitFile):
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
    data = read_yaml(path, BUILT_IN / "policy.schema.json", PolicyError)
    if data["jurisdiction"] not in (country, "default"):
        raise PolicyError(f"{path}: jurisdiction: {data['jurisdiction']} is not {country} (COMPLAINTS_COUNTRY)")
    try:
        return policy_of(data)
    except ValueError as error:
        raise PolicyError(f"{path}: {error}") from error
