"""A mistake in a file that somebody wrote is one line at the keyboard: what, where, and exit code 2."""

from pathlib import Path

import pytest

from complaint_assets_tests.conftest import Home

FILES = {
    "contract": (
        "COMPLAINTS_CONTRACTS",
        "sms/other.yaml",
        "channel: sms\nsource: other\n",
        "status",
        "description",
    ),
    "policy": ("COMPLAINTS_RETENTION", "policy.yaml", "jurisdiction: NG\nrules: 7\n", "retention plan", "rules"),
    "routes": (
        "COMPLAINTS_ROUTES",
        "routes.yaml",
        "routes: {log: {kind: fax}}\nrules: []\n",
        "alerts check",
        "kind",
    ),
    "calendar": (
        "COMPLAINTS_CALENDAR",
        "calendar.yaml",
        "holiday: []\n",
        "kpi complaints_per_100k --from 2026-11-01 --to 2026-11-02",
        "unknown keys: holiday",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    variable, file, text, command, told = FILES[name]
    path = tmp_path / "files" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    place = tmp_path / "files" if name == "contract" else path
    done = Home(tmp_path / "home", {variable: str(place)}).call(*command.split())
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert str(path) in done.stderr
    assert told in done.stderr
