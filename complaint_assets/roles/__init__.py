"""The roles as data, one YAML file, and its loader."""

from functools import cache
from pathlib import Path

from complaint_assets.logic.marts.roles import Roles, roles_of
from complaint_assets.metrics import load_metrics
from resources.yaml_file import UnfitFile, read_yaml

BUILT_IN = Path(__file__).parent


class RoleError(UnfitFile):
    """The file of roles is wrong; the message names the file and what is at fault."""


@cache
def load_roles(file: Path = BUILT_IN / "roles.yaml") -> Roles:
    """The roles in ``file``.

    Raises:
        RoleError: the file cannot be read, breaks the JSON Schema, or names an unknown metric or dimension.
    """
    data = read_yaml(file, BUILT_IN / "roles.schema.json", RoleError)
    try:
        return roles_of(data, load_metrics())
    except ValueError as error:
        raise RoleError(f"{file}: {error}") from error
