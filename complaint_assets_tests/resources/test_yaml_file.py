"""Files that people write: what is refused before anybody relies on it."""

import json
from pathlib import Path

import pytest

from resources.yaml_file import MOST_BYTES, read_yaml

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"rules": {"type": "array", "items": {"properties": {"weight": {"maximum": 5}}}}, "day": {}},
}


class FileError(ValueError):
    """Of this test."""


def read(folder: Path, text: str) -> object:
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    (folder / "file.yaml").write_text(text)
    return read_yaml(folder / "file.yaml", folder / "schema.json", FileError)


def test_dates_are_read_as_text(tmp_path: Path) -> None:
    assert read(tmp_path, "day: 2026-03-01") == {"day": "2026-03-01"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("day: 1\nday: 2", "day is given twice"),
        ("day: &a [1]\nrules: [*a]", r"references \(\*name\) are not taken"),
        ("dya: 1", "the file: unknown key 'dya'; allowed are day, rules"),
        ("rules: [{id: slow, weight: 9}]", r"rules\.slow\.weight: 9 is greater than the maximum of 5"),
        ("rules: [{weight: 9}]", r"rules\[0\]\.weight: 9"),
        ("day: [", "not readable as YAML"),
        ("[" * 5_000, "not readable as YAML"),
        ("#" * (MOST_BYTES + 1), f"larger than {MOST_BYTES} bytes"),
    ],
    ids=["twice", "reference", "unknown", "by_id", "by_place", "cut", "deep", "large"],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(FileError, match=told) as refusal:
        read(tmp_path, text)
    assert str(tmp_path / "file.yaml") in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.yaml: cannot be read: FileNotFoundError"):
        read_yaml(tmp_path / "none.yaml", tmp_path / "schema.json", FileError)
