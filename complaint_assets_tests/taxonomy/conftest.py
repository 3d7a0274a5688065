"""Fixtures: a home of three complaints, and rules that know one word more."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from complaint_assets.taxonomy import BUILT_IN
from complaint_assets_tests.taxonomy.house import BEFORE, NEW_RULE, SAID, House
from resources.settings import settings


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A home of three complaints over two days, enriched under the built-in rules."""
    for name in [name for name in os.environ if name.startswith("COMPLAINTS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COMPLAINTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COMPLAINTS_ENV", "test")
    settings.cache_clear()
    made = House(tmp_path / "home")
    made.tell(*SAID)
    made.enrich()
    yield made
    settings.cache_clear()


@pytest.fixture
def new_rules(tmp_path: Path) -> Path:
    """The built-in rules and one more, about a box called HomeHub."""
    folder = tmp_path / "rules"
    shutil.copytree(BUILT_IN, folder)
    text = (folder / "taxonomy.yaml").read_text(encoding="utf-8")
    assert BEFORE in text
    (folder / "taxonomy.yaml").write_text(
        text.replace(BEFORE, NEW_RULE + BEFORE, 1).replace("version: 1.1.0", "version: 1.2.0"), encoding="utf-8"
    )
    return folder
