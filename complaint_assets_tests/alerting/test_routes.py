"""The file of routes: what is wrong in it is told by file and key, and no secret is quoted."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from resources.alert import Alert
from resources.routes import RoutesError, load_routes
from resources.settings import DEFAULT_ROUTES


def loaded(tmp_path: Path, text: str):  # type: ignore[no-untyped-def]
    (tmp_path / "routes.yaml").write_text(text)
    return load_routes(tmp_path / "routes.yaml")


def test_by_default_everything_goes_to_the_log_and_to_the_webhook_if_there_is_one() -> None:
    table = load_routes(DEFAULT_ROUTES)
    alert = Alert("surge_opened:1", "info", "t", "b")
    assert [rule.to for rule in table.rules if rule.fits(alert)] == [("log", "webhook")]
    assert table.routes["log"].in_use({})
    assert not table.routes["webhook"].in_use({"COMPLAINTS_WEBHOOK": ""})
    assert table.routes["webhook"].in_use({"COMPLAINTS_WEBHOOK": "http://127.0.0.1"})


@pytest.mark.parametrize(
    ("routes", "fault"),
    [
        ("{log: {kind: fax}}", "routes.log.kind"),
        ("{hook: {kind: webhook, url: 'https://secret'}}", "routes.hook"),
        ("{hook: {kind: webhook, url_env: 'https://secret'}}", "routes.hook.url_env"),
        ("{hook: {kind: webhook}}", "routes.hook"),
        ("{mail: {kind: email, url_env: SMTP}}", "routes.mail"),
        ("{pager: {kind: webhook, shape: pagerduty}}", "routes.pager"),
        ("{pager: {kind: webhook, shape: pagerduty, key_env: K, digest_minutes: 5}}", "routes.pager"),
        ("{log: {kind: log, digest_minutes: 5}}", "routes.log"),
        (
            "{log: {kind: webhook, url_env: U, quiet: {from: '22:00', to: '06:00', time_zone: Mars/Base}}}",
            "routes.log.quiet.time_zone",
        ),
        ("{log: {kind: webhook, url_env: U, quiet: {from: '25:00', to: '06:00', time_zone: UTC}}}", "quiet.from"),
        ("[", "not readable as YAML"),
    ],
)
def test_a_fault_is_told_with_file_and_key_and_without_the_value(tmp_path: Path, routes: str, fault: str) -> None:
    with pytest.raises(RoutesError) as told:
        loaded(tmp_path, f"routes: {routes}\nrules: [{{to: [log]}}]")
    assert f"{tmp_path / 'routes.yaml'}: " in str(told.value)
    assert fault in str(told.value)
    assert "https://secret" not in str(told.value)


def test_a_missing_file_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(RoutesError, match=r"none\.yaml: not readable: FileNotFoundError \(COMPLAINTS_ROUTES\)"):
        load_routes(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ("to: [log]", True),
        ("owner: ['team:a'], to: [log]", True),
        ("owner: ['team:b'], to: [log]", False),
        ("severity: [error, critical], to: [log]", True),
        ("severity: [info], to: [log]", False),
        ("kind: [surge_opened], severity: [error], to: [log]", True),
        ("kind: [surge_resolved], severity: [error], to: [log]", False),
    ],
)
def test_a_rule_fits_by_owner_severity_and_kind_together(tmp_path: Path, rule: str, fits: bool) -> None:
    (one,) = loaded(tmp_path, f"routes: {{log: {{kind: log}}}}\nrules: [{{{rule}}}]").rules
    assert one.fits(Alert("surge_opened:1", "error", "t", "b", owner="team:a")) is fits


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-23T20:59", "2026-11-23T20:59"),  # 21:59 in Lagos
        ("2026-11-23T21:00", "2026-11-24T05:30"),
        ("2026-11-24T02:00", "2026-11-24T05:30"),
        ("2026-11-24T05:30", "2026-11-24T05:30"),
    ],
)
def test_quiet_hours_are_those_of_the_place_and_go_over_midnight(tmp_path: Path, at: str, until: str) -> None:
    table = loaded(
        tmp_path,
        "routes: {r: {kind: webhook, url_env: U, quiet: {from: '22:00', to: '06:30', time_zone: Africa/Lagos}}}\n"
        "rules: [{to: [r]}]",
    )
    stored = datetime.fromisoformat(at).replace(tzinfo=UTC)
    due = table.routes["r"].due(Alert("k", "warn", "t", "b"), stored)
    assert due == datetime.fromisoformat(until).replace(tzinfo=UTC)
    assert table.routes["r"].due(Alert("k", "error", "t", "b"), stored) == stored
