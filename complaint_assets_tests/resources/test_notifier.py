"""An alert's promises: stored before anything else, delivered to every route once, whatever is down or killed."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from complaint_assets_tests.faults.kills import of_kind
from complaint_assets_tests.resources.endpoints import Endpoint, MailServer
from resources.alert import Alert, count_told
from resources.notifier import Notifier
from resources.outbox import LEASE_SECONDS

REPOSITORY = Path(__file__).resolve().parents[2]


class Clock:
    """The time, which only the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    yield server
    server.stop()


def alert(key: str, severity: str = "warn", incident: str | None = None) -> Alert:
    return Alert(
        key=key,
        severity=severity,
        title="Surge open",
        body="12 complaints, 3 expected",
        asset="surges",
        incident=incident,
    )


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]


def logged(folder: Path) -> list[str]:
    return [line["key"] for line in log(folder)]


@pytest.fixture
def routed(tmp_path: Path) -> Callable[[str], Notifier]:
    """A notifier with routes of one's own."""

    def build(routes: str) -> Notifier:
        (tmp_path / "routes.yaml").write_text(routes)
        return Notifier(folder=str(tmp_path), routes=str(tmp_path / "routes.yaml"))

    return build


def test_alerts_survive_an_endpoint_that_is_down_then_broken_then_up(tmp_path: Path, clock: Clock) -> None:
    gone = Endpoint()
    gone.stop()
    notifier = Notifier(folder=str(tmp_path), webhook_url=gone.url)
    assert notifier.send(alert("one"), clock) is False
    back = Endpoint(gone.server_address[1])
    try:
        back.status = 500
        clock.move(minutes=1)
        assert notifier.send(alert("two"), clock) is False
        clock.move(minutes=1)
        assert notifier.flush(clock=clock) is False
        assert len(back.asked) == 2
        back.status = 200
        clock.move(minutes=1)
        assert notifier.send(alert("one"), clock) is True
        assert sorted(back.keys) == ["one", "two"]
    finally:
        back.stop()
    assert logged(tmp_path) == ["one", "two"]


def test_after_six_hours_of_every_fault_all_alerts_arrive_within_two_minutes_and_once(
    tmp_path: Path, endpoint: Endpoint, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.deliver.TIMEOUT_SECONDS", 0.05)
    notifier = Notifier(folder=str(tmp_path), webhook_url=endpoint.url)
    faults: list[dict[str, Any]] = [{"status": 500}, {"status": 429}, {"status": 0}, {"hangs": True}]
    sent = []
    for minute in range(360):
        for name, value in {"status": 200, "hangs": False, **faults[minute // 90]}.items():
            # A hang costs real time: a few are enough.
            setattr(endpoint, name, value if name != "hangs" or minute % 30 == 0 else False)
        if faults[minute // 90].get("hangs") and minute % 30:
            endpoint.status = 503
        if minute % 12 == 0:
            sent.append(f"surge_opened:{minute}")
            notifier.send(alert(sent[-1], "error"), clock)
        else:
            notifier.flush(clock=clock)
        clock.move(minutes=1)
    assert endpoint.taken == []
    assert logged(tmp_path) == sent
    assert len(endpoint.asked) <= 2 * 360, "a dead endpoint is asked about once a minute, not once per alert"
    endpoint.status, endpoint.hangs = 200, False
    for _ in range(4):
        notifier.flush(clock=clock)
        clock.move(seconds=30)
    assert sorted(endpoint.keys) == sorted(sent)
    assert len(endpoint.taken) == len(sent)


def test_the_log_and_the_webhook_get_the_whole_alert_with_link_and_runbook(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    assert Notifier(folder=str(tmp_path), webhook_url=endpoint.url).send(alert("surge_opened:one"))
    whole = {
        "key": "surge_opened:one",
        "kind": "surge_opened",
        "severity": "warn",
        "title": "Surge open",
        "body": "12 complaints, 3 expected",
        "asset": "surges",
        "owner": None,
        "incident": None,
        "link": "http://127.0.0.1:3000/assets/surges",
        "runbook": "docs/runbooks/surge_opened.md",
    }
    (taken,) = endpoint.taken
    assert {**whole, "id": endpoint.ids[0]} == taken
    (line,) = log(tmp_path)
    assert {**whole, "at": line["at"], "id": line["id"]} == line


def test_a_key_is_sent_once_also_to_a_later_process(tmp_path: Path, endpoint: Endpoint) -> None:
    for _ in range(3):
        assert Notifier(folder=str(tmp_path), webhook_url=endpoint.url).send(alert("one"))
    assert logged(tmp_path) == ["one"]
    assert len(endpoint.taken) == 1


@pytest.mark.parametrize("status", [0, 301, 307, 404, 429, 503])
def test_any_answer_but_success_leaves_the_alert_pending(
    tmp_path: Path, endpoint: Endpoint, clock: Clock, status: int
) -> None:
    notifier = Notifier(folder=str(tmp_path), webhook_url=endpoint.url)
    endpoint.status = status
    assert notifier.send(alert("one"), clock) is False
    assert endpoint.asked == [("/hook", "one")]  # no redirect was followed
    endpoint.status = 200
    assert notifier.flush(clock=clock) is False
    assert len(endpoint.asked) == 1, "not again at once"
    clock.move(minutes=1)
    assert notifier.flush(clock=clock) is True
    assert endpoint.keys == ["one"]


def test_an_endpoint_is_left_alone_for_as_long_as_it_asks(
    tmp_path: Path, endpoint: Endpoint, clock: Clock
) -> None:
    notifier = Notifier(folder=str(tmp_path), webhook_url=endpoint.url)
    endpoint.status, endpoint.headers = 429, {"Retry-After": "600"}
    assert notifier.send(alert("one"), clock) is False
    endpoint.status = 200
    clock.move(seconds=599)
    assert notifier.send(alert("two"), clock) is False
    assert len(endpoint.asked) == 1
    clock.move(seconds=1)
    assert notifier.flush(clock=clock) is True
    assert sorted(endpoint.keys) == ["one", "two"]


def test_a_slow_answer_is_an_answer(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.delay = 0.3
    assert Notifier(folder=str(tmp_path), webhook_url=endpoint.url).send(alert("one")) is True
    assert len(endpoint.taken) == 1


def test_an_answer_that_drips_for_ever_is_cut_off(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.deliver.DEADLINE_SECONDS", 0.1)
    endpoint.hangs = True
    assert Notifier(folder=str(tmp_path), webhook_url=endpoint.url).send(alert("one")) is False


def test_an_alert_that_the_webhook_refuses_does_not_hold_up_the_next(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.refused_keys = {"refused"}
    notifier = Notifier(folder=str(tmp_path), webhook_url=endpoint.url)
    assert notifier.send(alert("refused")) is False
    assert notifier.send(alert("next")) is False
    assert endpoint.keys == ["next"]


def test_what_is_refused_for_a_week_is_given_up_but_stays_visible_and_can_be_tried_again(
    tmp_path: Path, endpoint: Endpoint, clock: Clock
) -> None:
    endpoint.status = 404
    notifier = Notifier(folder=str(tmp_path), webhook_url=endpoint.url)
    notifier.send(alert("one"), clock)
    for _ in range(8):
        clock.move(days=1)
        assert notifier.flush(clock=clock) is False
    asked = len(endpoint.asked)
    (row,) = notifier.outbox.overview(everything=False)
    assert (row["key"], row["route"], row["state"], row["error"]) == ("one", "webhook", "undelivered", "HTTP 404")
    clock.move(days=1)
    notifier.flush(clock=clock)
    assert len(endpoint.asked) == asked
    endpoint.status = 200
    assert notifier.outbox.retry(clock()) == 1
    assert notifier.flush(clock=clock) is True
    assert endpoint.keys == ["one"]


def test_without_a_webhook_the_log_is_delivery_and_nothing_is_sent_belatedly(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    assert Notifier(folder=str(tmp_path)).send(alert("old")) is True
    assert Notifier(folder=str(tmp_path), webhook_url=endpoint.url).send(alert("new")) is True
    assert endpoint.keys == ["new"]
    assert logged(tmp_path) == ["old", "new"]


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://127.0.0.1/secret-token"])
def test_only_web_addresses_are_posted_to_and_no_address_is_quoted(tmp_path: Path, url: str, clock: Clock) -> None:
    notifier = Notifier(folder=str(tmp_path), webhook_url=url)
    for _ in range(3):
        assert notifier.send(alert("one"), clock) is False
        clock.move(minutes=1)
    assert logged(tmp_path) == ["one"]
    (row,) = notifier.outbox.overview(everything=False)
    assert row["error"] == "COMPLAINTS_WEBHOOK must be an address with http or https"


def test_wrong_routes_are_told_and_the_alert_is_kept(
    tmp_path: Path, routed: Callable[[str], Notifier], clock: Clock
) -> None:
    with pytest.raises(ValueError, match=r"routes\.yaml: rules\[0\]\.to: no such route: nowhere"):
        routed("routes: {log: {kind: log}}\nrules: [{to: [nowhere]}]").send(alert("one"), clock)
    assert routed("routes: {log: {kind: log}}\nrules: [{to: [log]}]").flush(clock=clock)
    assert logged(tmp_path) == ["one"]


DIGEST = """
routes:
  log: {kind: log}
  webhook:
    kind: webhook
    url_env: COMPLAINTS_WEBHOOK
    digest_minutes: 60
    quiet: {from: "22:00", to: "06:30", time_zone: Africa/Lagos}
rules: [{to: [log, webhook]}]
"""


def test_low_severities_come_as_a_digest_and_after_quiet_hours_and_high_ones_at_once(
    tmp_path: Path, routed: Callable[[str], Notifier], endpoint: Endpoint, clock: Clock
) -> None:
    notifier = routed(DIGEST).model_copy(update={"webhook_url": endpoint.url})
    for key in ("a", "b"):
        notifier.send(alert(key), clock)
        clock.move(minutes=10)
    notifier.send(alert("urgent", "critical"), clock)
    assert endpoint.keys == ["urgent"]
    clock.now = datetime(2026, 11, 23, 13, tzinfo=UTC)
    assert notifier.flush(clock=clock)
    assert endpoint.taken[1]["keys"] == ["a", "b"]
    assert endpoint.taken[1]["count"] == 2
    # 22:00 in Lagos is 21:00 UTC; 06:30 is 05:30 UTC.
    clock.now = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
    notifier.send(alert("night"), clock)
    clock.now = datetime(2026, 11, 24, 5, 29, tzinfo=UTC)
    assert notifier.flush(clock=clock) is False
    clock.move(minutes=1)
    assert notifier.flush(clock=clock) is True
    assert endpoint.keys == ["urgent", "a", "b", "night"]
    assert logged(tmp_path) == ["a", "b", "urgent", "night"]


RATE = """
routes: {webhook: {kind: webhook, url_env: COMPLAINTS_WEBHOOK, rate: {most: 3, minutes: 10}}}
rules: [{to: [webhook]}]
"""


def test_a_flood_is_held_to_the_rate_and_its_rest_comes_in_one_message_with_its_number(
    routed: Callable[[str], Notifier], endpoint: Endpoint, clock: Clock
) -> None:
    notifier = routed(RATE).model_copy(update={"webhook_url": endpoint.url})
    for n in range(20):
        notifier.send(alert(f"{n:02}"), clock)
    assert endpoint.keys == ["00", "01", "02"]
    notifier.send(alert("urgent", "error"), clock)
    assert endpoint.keys[-1] == "urgent"
    clock.move(minutes=10)
    assert notifier.flush(clock=clock) is True
    notifier.send(alert("later"), clock)
    assert endpoint.taken[-2]["count"] == 17
    assert sorted(endpoint.keys) == sorted([*(f"{n:02}" for n in range(20)), "urgent", "later"])


SECOND = """
routes:
  first: {kind: webhook, url_env: COMPLAINTS_WEBHOOK}
  second: {kind: webhook, url_env: SECOND_URL}
rules: [{to: [first], second: [second]}]
"""


@pytest.mark.parametrize(
    ("severity", "incident", "down", "acknowledged", "escalates"),
    [
        ("critical", None, True, False, True),
        ("critical", None, False, False, False),
        ("critical", "s1", False, False, True),
        ("critical", "s1", False, True, False),
        ("critical", "s1", True, True, False),
        ("warn", "s1", True, False, False),
    ],
)
def test_the_second_route_gets_what_nobody_got_or_acknowledged_in_five_minutes(
    routed: Callable[[str], Notifier],
    endpoint: Endpoint,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    severity: str,
    incident: str | None,
    down: bool,
    acknowledged: bool,
    escalates: bool,
) -> None:
    second = Endpoint()
    monkeypatch.setenv("SECOND_URL", second.url)
    try:
        endpoint.status = 500 if down else 200
        notifier = routed(SECOND).model_copy(update={"webhook_url": endpoint.url})
        notifier.send(alert("one", severity, incident), clock)
        taken_on = {"s1"} if acknowledged else set()
        clock.move(minutes=4, seconds=59)
        notifier.flush(taken_on, clock)
        assert second.keys == []
        clock.move(seconds=1)
        for _ in range(3):
            notifier.flush(taken_on, clock)
            clock.move(minutes=1)
        assert second.keys == (["one"] if escalates else [])
    finally:
        second.stop()


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("slack", lambda body: body["text"]),
        ("teams", lambda body: "".join(b["text"] for b in body["attachments"][0]["content"]["body"])),
        ("pagerduty", lambda body: body["payload"]["summary"] + body["payload"]["custom_details"]["id"]),
    ],
)
def test_each_shape_tells_the_title_and_an_id_that_a_repeat_repeats(
    routed: Callable[[str], Notifier],
    endpoint: Endpoint,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    shape: str,
    told: Callable[[dict[str, Any]], str],
) -> None:
    monkeypatch.setenv("PAGER_KEY", "the-key")
    key = "key_env: PAGER_KEY, " if shape == "pagerduty" else ""
    notifier = routed(
        f"routes: {{r: {{kind: webhook, shape: {shape}, {key}url_env: COMPLAINTS_WEBHOOK}}}}\nrules: [{{to: [r]}}]"
    ).model_copy(update={"webhook_url": endpoint.url})
    notifier.send(alert("surge_opened:1", "warn", "s1"), clock)
    notifier.send(alert("surge_resolved:2", "info", "s1"), clock)
    opened, resolved = endpoint.taken
    assert "Surge open" in told(opened)
    assert endpoint.ids[0] in told(opened)
    if shape == "pagerduty":
        assert [e["event_action"] for e in (opened, resolved)] == ["trigger", "resolve"]
        assert {e["dedup_key"] for e in (opened, resolved)} == {"s1"}
        assert {e["routing_key"] for e in (opened, resolved)} == {"the-key"}
        assert opened["payload"]["severity"] == "warning"


def test_mail_goes_out_once_and_waits_while_the_server_says_later(
    routed: Callable[[str], Notifier], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MailServer() as server:
        monkeypatch.setenv("SMTP_URL", server.url)
        notifier = routed(
            "routes: {mail: {kind: email, url_env: SMTP_URL, from: a@example.org, to: [b@example.org]}}\n"
            "rules: [{to: [mail]}]"
        )
        server.answer = "450 later"
        assert notifier.send(alert("one"), clock) is False
        assert notifier.outbox.overview(everything=False)[0]["error"] == "SMTP 450 for every recipient"
        server.answer = "250 OK"
        clock.move(minutes=1)
        assert notifier.flush(clock=clock) is True
        assert notifier.flush(clock=clock) is True
        (letter,) = server.letters
        server.shutdown()
    assert "Subject: [warn] Surge open" in letter
    assert "Runbook: docs/runbooks/one.md" in letter
    assert "Message-ID: <" in letter


def test_apprise_that_is_not_installed_is_named_and_the_alert_waits(
    routed: Callable[[str], Notifier], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    notifier = routed("routes: {a: {kind: apprise, url_env: APPRISE_URL}}\nrules: [{to: [a]}]")
    assert notifier.send(alert("one"), clock) is False
    (row,) = notifier.outbox.overview(everything=False)
    assert row["error"] == "apprise is not installed: pip install 'complaint-assets[apprise]'"


def in_another_process(folder: Path, code: str) -> "subprocess.Popen[str]":
    script = (
        "import os, signal\nfrom resources.alert import *\nfrom resources.notifier import *\n"
        f"notifier = Notifier(folder={str(folder)!r})\n{code}"
    )
    return subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)


def test_processes_that_send_the_same_keys_at_once_log_each_once(tmp_path: Path) -> None:
    code = "for i in range(8): notifier.send(Alert(f'key {i}', 'warn', 'title', 'body'))"
    for process in [in_another_process(tmp_path, code) for _ in range(3)]:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors[-2000:]
    assert sorted(logged(tmp_path)) == sorted(f"key {i}" for i in range(8))


KILLS = """
import json, os, sys
from datetime import UTC, datetime
from resources import failpoints
from resources.alert import Alert
from resources.notifier import Notifier
names, folder, url, routes, lease = json.load(sys.stdin)
os.environ["no_proxy"] = "127.0.0.1"
died = {}
for name in names:
    notifier = Notifier(folder=f"{folder}/{name}", webhook_url=url, routes=routes)
    child = os.fork()
    if not child:
        failpoints.arm(name)
        notifier.send(Alert(name, "error", "t", "b"), lambda: datetime.fromtimestamp(0, UTC))
        os._exit(0)
    died[name] = os.waitpid(child, 0)[1]
    # What was not even stored is told again by who wanted to tell it; nothing else is told twice.
    done = notifier.send(Alert(name, "error", "t", "b"), lambda: datetime.fromtimestamp(lease, UTC))
    died[name] = (died[name], done)
print(json.dumps(died))
"""


def test_kill_9_at_every_step_loses_nothing_and_a_repeat_has_the_same_id(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MailServer() as server:
        monkeypatch.setenv("SMTP_URL", server.url)
        (tmp_path / "routes.yaml").write_text(
            "routes:\n  log: {kind: log}\n  webhook: {kind: webhook, url_env: COMPLAINTS_WEBHOOK}\n"
            "  mail: {kind: email, url_env: SMTP_URL, from: a@example.org, to: [b@example.org]}\n"
            "rules: [{to: [log, webhook, mail]}]"
        )
        names = of_kind("notifier.")
        done = subprocess.run(
            [sys.executable, "-c", KILLS],
            input=json.dumps([names, str(tmp_path), endpoint.url, str(tmp_path / "routes.yaml"), LEASE_SECONDS]),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        server.shutdown()
    assert json.loads(done.stdout) == {name: [9, True] for name in names}
    for name in names:
        assert logged(tmp_path / name) == [name]
    assert sorted(endpoint.keys) == sorted(names), "once per id"
    assert len(endpoint.taken) <= len(names) + 1
    mails = {line for letter in server.letters for line in letter.splitlines() if line.startswith("Message-ID")}
    assert len(mails) == len(names)
    assert len(server.letters) <= len(names) + 2


def test_a_log_line_that_was_written_but_not_noted_is_found_behind_later_ones(
    tmp_path: Path, clock: Clock
) -> None:
    code = "from resources.failpoints import arm\narm('notifier.line_flushed')\n"
    code += "notifier.send(Alert('one', 'warn', 't', 'b'), lambda: datetime(2026, 11, 23).astimezone())"
    process = in_another_process(tmp_path, code)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -9, errors[-2000:]
    assert logged(tmp_path) == ["one"]
    for n in range(50):
        Notifier(folder=str(tmp_path)).send(alert(f"later {n}"), clock)
    assert logged(tmp_path).count("one") == 1
    assert len(logged(tmp_path)) == 51


def test_a_line_cut_short_does_not_swallow_the_next_alert(tmp_path: Path) -> None:
    tmp_path.joinpath("alerts.jsonl").write_bytes(b'{"key": "cut sh')
    assert Notifier(folder=str(tmp_path)).send(alert("one"))
    cut, whole = tmp_path.joinpath("alerts.jsonl").read_text().splitlines()
    assert cut == '{"key": "cut sh'
    assert json.loads(whole)["key"] == "one"


@pytest.mark.parametrize("name", ["key", "title", "body", "asset", "owner", "incident"])
def test_a_text_of_more_than_500_characters_is_refused_by_name_and_not_quoted(name: str) -> None:
    fields = {"key": "k", "severity": "warn", "title": "t", "body": "b", "asset": "a"}
    assert getattr(Alert(**{**fields, name: "x" * 500}), name) == "x" * 500
    with pytest.raises(ValueError, match=f"^alert: {name} is longer than 500 characters$"):
        Alert(**{**fields, name: "x" * 501})


def test_no_control_character_reaches_the_log(tmp_path: Path) -> None:
    spoilt = "".join(map(chr, [*range(32), *range(127, 160)]))
    assert Notifier(folder=str(tmp_path)).send(Alert(f"a{spoilt}b", "warn", f"c{spoilt}d", f"e{spoilt}f"))
    (line,) = log(tmp_path)
    assert (line["key"], line["title"], line["body"]) == ("a b", "c d", "e f")


def test_a_number_of_people_below_five_is_not_said() -> None:
    assert [count_told(n) for n in (0, 4, 4.9, 5, 1234)] == ["fewer than 5"] * 3 + ["5", "1,234"]
