"""An alert's promises: once per key in the log, at least once at the webhook, whatever is down."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from resources.notifier import Alert, Notifier

REPOSITORY = Path(__file__).resolve().parents[2]


class Endpoint(ThreadingHTTPServer):
    """A real webhook whose answer the test sets; it remembers what it took."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Webhook)
        self.status = 200
        self.refused_keys: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.taken: list[dict[str, Any]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Webhook(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        alert = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, alert["key"]))
        status = 400 if alert["key"] in self.server.refused_keys else self.server.status
        if status == 0:
            self.wfile.write(b"no HTTP at all\r\n\r\n")
            return
        if status == 200:
            self.server.taken.append(alert)
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"{self.server.url}-elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.asked.append((self.path, "GET"))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    yield server
    server.stop()


def alert(key: str) -> Alert:
    return Alert(key=key, severity="warn", title="Surge open", body="12 complaints, 3 expected", asset="surges")


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]


def logged(folder: Path) -> list[str]:
    return [line["key"] for line in log(folder)]


def test_alerts_survive_an_endpoint_that_is_down_then_broken_then_up(tmp_path: Path) -> None:
    gone = Endpoint()
    gone.stop()
    notifier = Notifier(folder=str(tmp_path), webhook_url=gone.url)
    assert notifier.send(alert("one")) is False
    back = Endpoint(gone.server_address[1])
    try:
        back.status = 500
        assert notifier.send(alert("two")) is False
        assert notifier.flush() is False
        assert back.taken == []
        back.status = 200
        assert notifier.send(alert("one")) is True
        assert notifier.flush() is True
        assert [taken["key"] for taken in back.taken] == ["one", "two"]
    finally:
        back.stop()
    assert logged(tmp_path) == ["one", "two"]


def test_the_log_and_the_webhook_get_the_whole_alert(tmp_path: Path, endpoint: Endpoint) -> None:
    assert Notifier(folder=str(tmp_path), webhook_url=endpoint.url).send(alert("one"))
    whole = {
        "key": "one",
        "severity": "warn",
        "title": "Surge open",
        "body": "12 complaints, 3 expected",
        "asset": "surges",
    }
    assert endpoint.taken == [whole]
    (line,) = log(tmp_path)
    assert {**whole, "at": line["at"]} == line


def test_a_key_is_sent_once_also_to_a_later_process(tmp_path: Path, endpoint: Endpoint) -> None:
    for _ in range(3):
        assert Notifier(folder=str(tmp_path), webhook_url=endpoint.url).send(alert("one"))
    assert logged(tmp_path) == ["one"]
    assert len(endpoint.taken) == 1


@pytest.mark.parametrize("status", [0, 301, 307, 404, 429, 503])
def test_any_answer_but_success_leaves_the_alert_pending(tmp_path: Path, endpoint: Endpoint, status: int) -> None:
    notifier = Notifier(folder=str(tmp_path), webhook_url=endpoint.url)
    endpoint.status = status
    assert notifier.send(alert("one")) is False
    assert endpoint.asked == [("/hook", "one")]  # no redirect was followed
    endpoint.status = 200
    assert notifier.flush() is True
    assert len(endpoint.taken) == 1


def test_an_alert_that_the_webhook_refuses_does_not_hold_up_the_next(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.refused_keys = {"refused"}
    notifier = Notifier(folder=str(tmp_path), webhook_url=endpoint.url)
    assert notifier.send(alert("refused")) is False
    assert notifier.send(alert("next")) is False
    assert [taken["key"] for taken in endpoint.taken] == ["next"]


def test_without_a_webhook_the_log_is_delivery_and_nothing_is_sent_belatedly(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    assert Notifier(folder=str(tmp_path)).send(alert("old")) is True
    assert Notifier(folder=str(tmp_path), webhook_url=endpoint.url).send(alert("new")) is True
    assert [taken["key"] for taken in endpoint.taken] == ["new"]
    assert logged(tmp_path) == ["old", "new"]


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://127.0.0.1/secret-token"])
def test_only_web_addresses_are_posted_to_and_the_log_has_the_alert_once(tmp_path: Path, url: str) -> None:
    notifier = Notifier(folder=str(tmp_path), webhook_url=url)
    for _ in range(3):
        with pytest.raises(ValueError, match=r"COMPLAINTS_WEBHOOK must be an http or https address$"):
            notifier.send(alert("one"))
    assert logged(tmp_path) == ["one"]


def in_another_process(folder: Path, code: str) -> "subprocess.Popen[str]":
    script = (
        f"import os, signal\nfrom resources.notifier import *\nnotifier = Notifier(folder={str(folder)!r})\n{code}"
    )
    return subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)


def test_processes_that_send_the_same_keys_at_once_log_each_once(tmp_path: Path) -> None:
    code = "for i in range(40): notifier.send(Alert(f'key {i}', 'warn', 'title', 'body'))"
    for process in [in_another_process(tmp_path, code) for _ in range(3)]:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors[-2000:]
    assert sorted(logged(tmp_path)) == sorted(f"key {i}" for i in range(40))


def test_a_kill_after_the_line_is_written_does_not_write_it_twice(tmp_path: Path) -> None:
    # Dies as soon as the line is on disk, before the outbox knows.
    code = (
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\nnotifier.send(Alert('one', 'warn', 't', 'b'))"
    )
    process = in_another_process(tmp_path, code)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -9, errors[-2000:]
    assert logged(tmp_path) == ["one"]
    assert Notifier(folder=str(tmp_path)).send(alert("two"))
    assert logged(tmp_path) == ["one", "two"]


def test_a_line_cut_short_does_not_swallow_the_next_alert(tmp_path: Path) -> None:
    tmp_path.joinpath("alerts.jsonl").write_bytes(b'{"key": "cut sh')
    assert Notifier(folder=str(tmp_path)).send(alert("one"))
    cut, whole = tmp_path.joinpath("alerts.jsonl").read_text().splitlines()
    assert cut == '{"key": "cut sh'
    assert json.loads(whole)["key"] == "one"


@pytest.mark.parametrize("name", ["key", "severity", "title", "body", "asset"])
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
