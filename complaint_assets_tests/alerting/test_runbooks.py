"""Every kind of alert has a runbook that can be followed to the letter, and every runbook an alert."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from complaint_assets.alerting import KINDS
from complaint_assets.cli import app

REPOSITORY = Path(__file__).resolve().parents[2]
RUNBOOKS = sorted((REPOSITORY / "docs" / "runbooks").glob("*.md"))
PARTS = ["Meaning", "Impact", "Check", "Fix", "Verify", "Escalate"]
COMMAND = re.compile(r"^complaints .*$|`(complaints [^`]*)`", re.MULTILINE)


def commands(path: Path) -> list[str]:
    return [match[1] or match[0] for match in COMMAND.finditer(path.read_text())]


def parse(line: str) -> None:
    """Parse ``line`` as the shell and the command line would; nothing is run."""
    command = typer.main.get_command(app)
    _, *words = shlex.split(line)
    while (found := getattr(command, "commands", {})) and words and not words[0].startswith("-"):
        assert words[0] in found, f"{line}: there is no {words[0]}"
        command = found[words.pop(0)]
    command.make_context(command.name, words)


def test_every_kind_of_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS} == set(KINDS)
    source = "".join(
        path.read_text()
        for path in (REPOSITORY / "complaint_assets").rglob("*.py")
        if path.parent.name in ("sensors", "assets", "cli")
    )
    sent = set(re.findall(r'key=f"([a-z_]+)(?:\{what\})?:', source)) - {"surge_"}
    told = {kind for kind in KINDS if not kind.startswith("surge_")}
    assert sent == told


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_runbook_has_all_parts_and_its_commands_parse(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == PARTS
    assert len(commands(path)) >= 3
    for line in commands(path):
        parse(line)
    for linked in re.findall(r"\]\(([a-z_]+\.md)\)", text):
        assert (path.parent / linked).exists()


def test_a_command_that_does_not_exist_is_found() -> None:
    for line in ("complaints nothing", "complaints surges ack", "complaints status --nothing"):
        with pytest.raises((AssertionError, Exception), match=r"nothing|Missing|No such"):
            parse(line)
