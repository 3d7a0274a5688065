"""The outbox under any sequence of events: every alert reaches every route, and once by its id."""

import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from resources.alert import HIGH, SEVERITIES, Alert
from resources.deliver import Message
from resources.outbox import GIVE_UP, KEPT, LEASE_SECONDS, Outbox
from resources.routes import load_routes

ROUTES = """
routes:
  log: {kind: log}
  plain: {kind: webhook, url_env: A}
  limited: {kind: webhook, url_env: B, rate: {most: 2, minutes: 5}}
  gathered: {kind: webhook, url_env: C, digest_minutes: 30}
  second: {kind: webhook, url_env: D}
rules: [{to: [log, plain, limited, gathered], second: [second]}]
"""
FIRST = ("log", "plain", "limited", "gathered")


class Receiver:
    """What one endpoint knows: ids that it has seen, and how often each key came under a new one."""

    def __init__(self) -> None:
        self.contents: dict[str, tuple[str, ...]] = {}
        self.keys: Counter[str] = Counter()

    def take(self, message: Message) -> None:
        keys = tuple(alert.key for alert in message.alerts)
        if message.id in self.contents:
            assert self.contents[message.id] == keys, "a repeat says what it said before"
            return
        self.contents[message.id] = keys
        self.keys.update(keys)


class Events(RuleBasedStateMachine):
    """Alerts come, processes die between any two steps, endpoints fail, and time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "routes.yaml"
        file.write_text(ROUTES)
        self.table = load_routes(file)
        self.outbox = Outbox(Path(self.folder.name) / "outbox.db")
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.stored: dict[str, str] = {}
        self.receivers = {name: Receiver() for name in self.table.routes}

    def teardown(self) -> None:
        # Whatever happened: with endpoints that answer, everything is delivered within an hour.
        for _ in range(31):
            self.now += timedelta(minutes=2)
            self.outbox.route(self.table, self.table.routes, self.now)
            for name, route in self.table.routes.items():
                self.outbox.bind(route, self.now)
                while leased := self.outbox.lease(name, self.now):
                    self.receivers[name].take(leased[1])
                    self.outbox.delivered(name, leased[1].id, self.now)
        assert self.outbox.waiting() == 0
        for name in FIRST:
            assert self.receivers[name].keys == dict.fromkeys(self.stored, 1), name
        self.folder.cleanup()

    @rule(n=st.integers(0, 30), severity=st.sampled_from(SEVERITIES))
    def store(self, n: int, severity: str) -> None:
        new = self.outbox.store(Alert(f"k:{n}", severity, "t", "b"), self.now)
        assert new == (f"k:{n}" not in self.stored)
        self.stored.setdefault(f"k:{n}", severity)

    @rule()
    def rout(self) -> None:
        self.outbox.route(self.table, self.table.routes, self.now)

    @rule(name=st.sampled_from([*FIRST, "second"]))
    def bind(self, name: str) -> None:
        self.outbox.bind(self.table.routes[name], self.now)

    @rule()
    def escalate(self) -> None:
        self.outbox.escalate((), self.table.routes, self.now)

    @rule(
        name=st.sampled_from([*FIRST, "second"]),
        end=st.sampled_from(
            ["delivered", "killed before", "killed after", "answer lost", "refused", "down", "late"]
        ),
    )
    def deliver(self, name: str, end: str) -> None:
        if (leased := self.outbox.lease(name, self.now)) is None:
            return
        token, message = leased
        if end in ("delivered", "killed after", "answer lost", "late"):
            self.receivers[name].take(message)
        if end == "late":  # the lease is over, somebody else tries, and only then the first one notes it
            self.now += timedelta(seconds=LEASE_SECONDS)
            if second := self.outbox.lease(name, self.now):
                self.receivers[name].take(second[1])
        if end in ("delivered", "late"):
            self.outbox.delivered(name, message.id, self.now)
        elif end == "refused":
            self.outbox.failed(token, "HTTP 400", self.now, jitter=0.5)
        elif end in ("down", "answer lost"):
            self.outbox.failed(token, "no answer", self.now, jitter=0.5, route=name)

    @rule(seconds=st.sampled_from([1, 30, 61, 301, 3600]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def nobody_is_told_twice(self) -> None:
        for receiver in self.receivers.values():
            assert not receiver.keys or max(receiver.keys.values()) == 1

    @invariant()
    def only_high_severities_reach_the_second_route(self) -> None:
        assert all(self.stored[key] in HIGH for key in self.receivers["second"].keys)


TestEvents = Events.TestCase
TestEvents.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)


def test_a_lease_is_held_by_one_and_passes_on_when_it_ends(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text("routes: {log: {kind: log}}\nrules: [{to: [log]}]")
    table, outbox, now = load_routes(tmp_path / "routes.yaml"), Outbox(tmp_path / "o.db"), datetime.now(UTC)
    outbox.store(Alert("k", "warn", "t", "b"), now)
    outbox.route(table, table.routes, now)
    outbox.bind(table.routes["log"], now)
    first = outbox.lease("log", now)
    assert first
    assert first[1].repeated is False
    assert outbox.lease("log", now + timedelta(seconds=LEASE_SECONDS - 1)) is None
    second = outbox.lease("log", now + timedelta(seconds=LEASE_SECONDS))
    assert second
    assert second[1].repeated is True
    assert (outbox.is_leased(first[0]), outbox.is_leased(second[0])) == (False, True)
    # Who lost the lease has nothing to say about how the message stands, unless it arrived.
    outbox.failed(first[0], "HTTP 500", now + GIVE_UP, jitter=0.0)
    assert outbox.is_leased(second[0])
    outbox.delivered("log", first[1].id, now)
    assert outbox.waiting() == 0


def test_a_key_is_known_for_as_long_as_is_said_and_what_nobody_got_for_ever(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(
        "routes: {a: {kind: log}, b: {kind: webhook, url_env: B}}\nrules: [{to: [a, b]}]"
    )
    table, outbox, now = load_routes(tmp_path / "routes.yaml"), Outbox(tmp_path / "o.db"), datetime.now(UTC)
    got, stuck = Alert("got", "warn", "t", "b"), Alert("stuck", "warn", "t", "b")
    for alert in (got, stuck):
        outbox.store(alert, now)
        outbox.route(table, table.routes, now)
        for name, route in table.routes.items():
            outbox.bind(route, now)
            leased = outbox.lease(name, now)
            assert leased
            if (alert, name) != (stuck, "b"):
                outbox.delivered(name, leased[1].id, now)
    assert outbox.forget(now + KEPT) == 0
    assert not outbox.store(got, now + KEPT)
    later = now + KEPT + timedelta(seconds=1)
    assert outbox.forget(later) == 1
    assert not outbox.store(stuck, later)
    assert [row["key"] for row in outbox.overview(everything=True)] == ["stuck", "stuck"]
    # What is told again after so long is new, and is delivered.
    assert outbox.store(got, later)
    outbox.route(table, table.routes, later)
    outbox.bind(table.routes["a"], later)
    leased = outbox.lease("a", later)
    assert leased
    assert [alert.key for alert in leased[1].alerts] == ["got"]
