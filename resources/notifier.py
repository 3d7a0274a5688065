"""Alerts: stored in an outbox, then delivered to every route that the rules give them, each once.

What "once" means, per alert and route: the outbox makes one message of it, and repeats none whose success it has
noted, whoever is killed when. Between an endpoint's answer and the commit of it lies a gap that no sender can
close alone, and an answer can get lost or come too late: then the message is repeated under the same id
(``Idempotency-Key``, ``Message-ID``, PagerDuty's ``dedup_key``; in the text for Slack, Teams and apprise), by
which the receiver recognises it. The log file is ours: there the repeat is recognised here, and each alert
stands in it exactly once.
"""

import os
import random
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

import dagster as dg

from resources.alert import Alert
from resources.deliver import Message, Refused, Unreachable, append, mail, post, push, utc_now
from resources.failpoints import failpoint
from resources.outbox import Outbox
from resources.routes import Route, Routes, load_routes
from resources.settings import DEFAULT_ROUTES

LOG = "alerts.jsonl"
WEBHOOK = "COMPLAINTS_WEBHOOK"
Clock = Callable[[], datetime]


class Notifier(dg.ConfigurableResource):
    """Delivers alerts from the outbox in ``folder`` along the ``routes`` of a YAML file."""

    folder: str
    webhook_url: str = ""
    routes: str = str(DEFAULT_ROUTES)
    ui_url: str = "http://127.0.0.1:3000"

    def store(self, alert: Alert, clock: Clock = utc_now) -> None:
        """Keep ``alert`` for the next ``flush``; durable when this returns, and known by its key (``KEPT``)."""
        failpoint("notifier.before_store")
        self.outbox.store(alert, clock())
        failpoint("notifier.stored")

    def send(self, alert: Alert, clock: Clock = utc_now) -> bool:
        """Store ``alert``, then deliver what is due; True when nothing is left undelivered.

        Raises:
            RoutesError: the routes are wrong. The alert is stored all the same.
        """
        self.store(alert, clock)
        return self.flush(clock=clock)

    def flush(self, acknowledged: Collection[str] | None = None, clock: Clock = utc_now) -> bool:
        """Deliver what is due; True when nothing is left undelivered.

        Args:
            acknowledged: incidents that somebody has taken on. If given, what is not delivered, or is an
                incident and not acknowledged, in time goes to its second route.
            clock: what time it is (UTC).

        Raises:
            RoutesError: the routes are wrong. What is stored stays.
        """
        table = load_routes(Path(self.routes))
        used = self.in_use(table)
        self.outbox.route(table, used, clock())
        failpoint("notifier.routed")
        self._deliver_due(used, clock)
        # Afterwards: what waited only because nobody flushed needs no second route.
        if acknowledged is not None and self.outbox.escalate(acknowledged, used, clock()):
            self._deliver_due(used, clock)
        self.outbox.forget(clock())
        failpoint("notifier.flushed")
        return not self.outbox.waiting()

    def in_use(self, table: Routes) -> dict[str, Route]:
        """The routes whose variables are set, or must be."""
        return {name: route for name, route in table.routes.items() if route.in_use(self._variables)}

    @property
    def outbox(self) -> Outbox:
        return Outbox(Path(self.folder) / "outbox.db")

    @property
    def _variables(self) -> dict[str, str]:
        return {**os.environ, WEBHOOK: self.webhook_url}

    def _deliver_due(self, used: dict[str, Route], clock: Clock) -> None:
        for name, route in used.items():
            self.outbox.bind(route, clock())
            failpoint("notifier.bound")
            while self._deliver_one(name, route, clock):
                pass

    def _deliver_one(self, name: str, route: Route, clock: Clock) -> bool:
        """Deliver the next message of a route; False if there is none, or the endpoint takes nothing."""
        leased = self.outbox.lease(name, clock())
        failpoint("notifier.leased")
        if leased is None:
            return False
        token, message = leased
        try:
            failpoint("notifier.before_delivery")
            self._deliver(route, message, token)
            failpoint("notifier.delivered")
        except Unreachable as error:
            self.outbox.failed(token, str(error), clock(), jitter=_jitter(), route=name, wait=error.retry_after)
            return False
        except Refused as error:
            self.outbox.failed(token, str(error), clock(), jitter=_jitter())
        else:
            self.outbox.delivered(name, message.id, clock())
        failpoint("notifier.settled")
        return True

    def _deliver(self, route: Route, message: Message, token: str) -> None:
        if route.kind == "log":
            log = Path(self.folder) / LOG
            append(log, message, self.ui_url, lambda: self.outbox.is_leased(token))
        else:
            send = {"webhook": post, "email": mail, "apprise": push}[route.kind]
            send(route, message, self.ui_url, self._variables)


def _jitter() -> float:
    return random.random()  # noqa: S311 - jitter, no secret
