"""Rows: a queue whose taker is killed, and one that delivers everything again."""

import random
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from complaint_assets_tests.faults.kills import KILLED, of_kind
from complaint_assets_tests.faults.lab import run
from complaint_assets_tests.faults.table import Result, row


def push(queue: Any, messages: int) -> None:
    from complaint_assets_tests.faults.orders import START, message

    bodies = [message(n, START + timedelta(hours=12)).rstrip() for n in range(messages)]
    for first in range(0, messages, 100):
        queue.send("sms", "gateway", bodies[first : first + 100])


def taken(home: Any, queue: Any, messages: int) -> dict[str, int]:
    """Seal, standardise and unify what came out of the queue; counts of what was sent and of what there is."""
    import pyarrow.compute as pc

    from complaint_assets.assets.complaints import unify
    from complaint_assets.assets.standardised import STANDARDISED, standardise_slots
    from complaint_assets.contracts import load_contracts
    from complaint_assets.logic.identify import Keys
    from complaint_assets_tests.faults.orders import START

    contracts = load_contracts([])
    for slot in home.lake.unsealed("sms"):
        home.lake.seal("sms", slot)
        standardise_slots(home, "sms", [slot], contracts, Keys(home.vault.secret))
    delivered = home.tables.scan("standardised", STANDARDISED, columns=["slot"]).num_rows
    found = unify(home.tables, [START.date()], [])
    depth = queue.depth("sms")
    return {
        "sent": messages,
        "delivered": delivered,
        "complaints": found.num_rows,
        "merged": pc.sum(found["deliveries"]).as_py() or 0,
        "distinct": pc.count_distinct(found["complaint_id"]).as_py(),
        "left": depth.waiting + depth.leased + depth.dead,
    }


def count(result: Result, found: dict[str, int], label: str) -> None:
    """Every message is one complaint, made of all its deliveries, and none is left in the queue."""
    result.lost += found["sent"] - found["complaints"]
    result.duplicated += found["complaints"] - found["distinct"]
    one_each = found["complaints"] == found["distinct"] == found["sent"]
    if not one_each or found["left"] or found["merged"] != found["delivered"]:
        result.problems.append(f"{label}: {found}")


@row(
    "kill-drain-failpoints",
    "kill -9 while messages are taken from the queue into the lake: leased, stored, acknowledged; and at random",
    "when their lease ends they come again: every message is one complaint, the queue is empty",
    trials=30,
    quick=3,
)
def kill_drain(folder: Path, trials: int) -> Result:
    result, rng = Result(), random.Random(6)
    names = of_kind("drain.")
    for n in range(trials):
        place = folder / str(n)
        at = names[n % len(names)] + f":{1 + n // len(names)}" if n < 3 * len(names) else ""

        def fill() -> None:
            from complaint_assets.cli.common import stores

            push(stores().queue, MESSAGES)

        def drain(*, finish: bool = False) -> dict[str, int] | None:
            from complaint_assets.capture import drain as module
            from complaint_assets.cli.common import stores
            from complaint_assets.contracts import load_contracts

            module.BATCH_MESSAGES, module.LEASE_SECONDS = MESSAGES // 5, 1
            home, contracts = stores(), load_contracts([])
            module.drain(home.queue, home.lake, "sms", contracts)
            return taken(home, home.queue, MESSAGES) if finish else None

        run(fill, place)
        killed = run(drain, place, failpoint=at or None, cpu=0 if at else rng.uniform(0.001, 0.1))
        begun = time.monotonic()
        time.sleep(1.1)  # until the lease of who died is over
        count(result, run(lambda drain=drain: drain(finish=True), place).value, at or f"seed {n}")
        result.recovery_seconds = max(result.recovery_seconds, round(time.monotonic() - begun, 1))
        result.expect(not at or killed.signal == KILLED, f"{at} did not kill")
    return result


MESSAGES = 100


@row(
    "queue-redelivers",
    "the queue delivers every message again and again, in other batches each time: spool and SQS (on loopback)",
    "as many complaints as messages, each made of all deliveries of it that were taken in",
    trials=3000,
    quick=300,
)
def queue_redelivers(folder: Path, trials: int) -> Result:
    """Few through SQS, whose stand-in goes through all messages at every request; ``trials`` counts messages."""
    result = Result()
    for kind, messages in (("spool", trials - trials // 10), ("sqs", trials // 10)):
        place = folder / kind
        found = run(
            lambda kind=kind, place=place, messages=messages: redeliver(kind, place, messages), place
        ).value
        result.trials += found["sent"]
        count(result, found, kind)
        if found["delivered"] <= found["sent"]:
            result.problems.append(f"{kind}: nothing came again: {found}")
        result.note += f"{', ' if result.note else ''}{found['delivered']:,} deliveries by {kind}"
    return result


def redeliver(kind: str, place: Path, messages: int) -> dict[str, int]:
    """Each message delivered at least three times, at most once too seldom to become a dead letter."""
    from complaint_assets.capture.drain import store
    from complaint_assets.cli.common import stores
    from complaint_assets.contracts import load_contracts
    from resources import queue_sqs
    from resources.queue import open_queue

    if kind == "sqs":
        queue_sqs.POLL_SECONDS = 0
        sqs_on_loopback()
    home, contracts, rng = stores(), load_contracts([]), random.Random(8)
    queue = open_queue(str(place / "queue.db") if kind == "spool" else "sqs://again")
    push(queue, messages)
    for last in (False, False, True):
        held = []
        while batch := queue.receive("sms", rng.randrange(1, max(2, messages // 4)), 60):
            store(home.lake, "sms", batch, contracts)
            if last:
                queue.ack("sms", batch)
            held.append(batch)
        for batch in [] if last else held:
            queue.extend("sms", batch, 0)  # their lease ends unacknowledged
    return taken(home, queue, messages)


def sqs_on_loopback() -> None:
    """A server in a thread of this process, found through the usual AWS settings."""
    import os
    import threading

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}",
        AWS_ACCESS_KEY_ID="nobody",
        AWS_SECRET_ACCESS_KEY="nothing",  # noqa: S106
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        NO_PROXY="127.0.0.1",
    )
