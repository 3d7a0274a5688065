"""Fixtures: a home of one's own, used through the command line as a person would."""

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from complaint_assets_tests.warm import WarmCommands

REPOSITORY = Path(__file__).resolve().parent.parent
REAL_CONTRACTS = Path(__file__).resolve().parent / "contracts" / "real"
MEMORY = Path("/dev/shm")  # noqa: S108


def pytest_configure() -> None:
    """Keep temporary folders in memory where there is room: Dagster's storage syncs to disk at every event."""
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 << 30:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


@cache
def warm_commands() -> WarmCommands:
    """The process of this test process that forks commands."""
    commands = WarmCommands()
    atexit.register(commands.end)
    return commands


@dataclass
class Home:
    """A standing home in a temporary folder."""

    path: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(("COMPLAINTS_", "DAGSTER_"))},
            "COMPLAINTS_HOME": str(self.path),
            "COMPLAINTS_ENV": "test",
            "DAGSTER_HOME": str(REPOSITORY),
            "COMPLAINTS_DAGSTER_STATE": str(self.path / "dagster"),
            **self.settings,
        }

    def call(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run ``complaints`` with ``arguments``, whatever its exit code."""
        return warm_commands().run([str(argument) for argument in arguments], self.environment, timeout=1800)

    def complaints(self, *arguments: object) -> Any:
        """Run ``complaints ... --json`` and return what it printed."""
        done = self.call(*arguments, "--json")
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    def digests(self) -> dict[str, str]:
        return {row["table"]: row["digest"] for row in self.complaints("digest")}

    def rows(self) -> dict[str, int]:
        return {row["table"]: row["rows"] for row in self.complaints("status")["layers"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home shared by the tests of one module."""
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real input data, which is not part of this repository."""
    folder = Path(os.environ.get("COMPLAINTS_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "README.md").exists():
        pytest.skip("the real input data is absent: set COMPLAINTS_REAL_DATA to its folder")
    return folder
