"""Queues of messages that sources push: delivered at least once, leased while somebody works on them.

Two implementations keep one promise, which one test suite holds: the embedded spool (``queue_spool``) and SQS
(``queue_sqs``). A message is gone only when it is acknowledged; one that was received ``MOST_RECEIVES`` times
without that becomes a dead letter, and waits for a person.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

LEASE_SECONDS = 120
"""How long a message stays with its receiver, unless extended, before it is delivered again."""
MOST_RECEIVES = 5
BATCH_BYTES = 16 << 20
"""A batch ends with the message that reaches this size."""


class QueueUnavailable(OSError):
    """The queue cannot be reached or written now; nothing of the call has to be assumed done."""


@dataclass(frozen=True)
class Message:
    """One message of a channel; ``receipt`` is the handle of this lease, ``receives`` counts it."""

    id: str
    source: str
    body: bytes
    sent_at: datetime
    receives: int
    receipt: str


@dataclass(frozen=True)
class Depth:
    """Messages that can be received now, that are leased, and that are dead letters."""

    waiting: int
    leased: int
    dead: int


class Queue(Protocol):
    """What capture needs of a queue. Every method raises QueueUnavailable."""

    largest: int
    """Most bytes of one message."""

    def send(self, channel: str, source: str, bodies: Sequence[bytes]) -> None:
        """Accept messages; when this returns they are durable.

        Raises:
            ValueError: one is larger than ``largest``; none was accepted.
        """
        ...

    def receive(self, channel: str, most: int, lease_seconds: int) -> list[Message]:
        """Lease up to ``most`` messages; none while all that are left are leased."""
        ...

    def extend(self, channel: str, messages: Sequence[Message], lease_seconds: int) -> None:
        """Let the leases that still stand end ``lease_seconds`` from now."""
        ...

    def ack(self, channel: str, messages: Sequence[Message]) -> None:
        """Forget messages that are safe elsewhere; one that another has leased since stays."""
        ...

    def depth(self, channel: str) -> Depth:
        """How many messages there are (of a distributed queue: about how many)."""
        ...

    def dead(self, channel: str, most: int) -> list[Message]:
        """Dead letters, which stay where they are."""
        ...

    def redrive(self, channel: str) -> int:
        """Put every dead letter back into the queue; return how many."""
        ...

    def forget(self, channel: str, matches: Callable[[bytes], object]) -> int:
        """Remove every message whose body matches, and every trace of it; return how many.

        A distributed queue looks through its dead letters only: take in first what waits.
        """
        ...


def open_queue(url: str) -> Queue:
    """The queue at ``url``: the file of a spool, or ``sqs://NAME``."""
    if url.startswith("sqs://"):
        from resources.queue_sqs import SqsQueue

        return SqsQueue(url.removeprefix("sqs://"))
    from resources.queue_spool import Spool

    return Spool(Path(url))


def too_large(bodies: Sequence[bytes], largest: int) -> None:
    """Refuse bodies that do not fit.

    Raises:
        ValueError: one is larger than ``largest`` bytes.
    """
    if any(len(body) > largest for body in bodies):
        raise ValueError(f"a message may hold up to {largest} bytes: deliver more as a file")


@contextmanager
def held(queue: Queue, channel: str, messages: Sequence[Message], lease_seconds: int) -> Iterator[None]:
    """Keep the leases of ``messages`` alive for as long as the block takes, however slow its writes are."""
    done = threading.Event()

    def extend() -> None:
        while not done.wait(lease_seconds / 3):
            # The next try comes soon; a lease that ends all the same costs a second delivery, no message.
            with suppress(QueueUnavailable):
                queue.extend(channel, messages, lease_seconds)

    extending = threading.Thread(target=extend, name="lease", daemon=True)
    extending.start()
    try:
        yield
    finally:
        done.set()
        extending.join()
