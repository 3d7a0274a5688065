"""What goes wrong on the way: how often, and how much later something arrives."""

from collections.abc import Sequence
from random import Random

REDELIVERED = 0.04
LATE = 0.01
MALFORMED = 0.002
REPEATED = 0.03
EDITED = 0.01
"""Of social posts, as the next."""
REPOSTED = 0.05
MOST_LATE_HOURS = 72


class Quota:
    """A share of all that comes by, kept to exactly: what an hour is too small for is carried on."""

    def __init__(self, share: float, rng: Random) -> None:
        self._share = share
        self._carry = rng.random()

    def some(self, rng: Random, candidates: Sequence[int], of: int) -> set[int]:
        """Those of ``candidates`` whose turn it is, out of ``of``."""
        self._carry += self._share * of
        number = min(int(self._carry), len(candidates))
        self._carry -= number
        return set(rng.sample(candidates, number))


def late_by(rng: Random, slot_seconds: int) -> int:
    """Slots after its own in which a late record arrives: up to three days, mostly far less."""
    return 1 + int(MOST_LATE_HOURS * 3600 // slot_seconds * rng.random() ** 2)


def again_after(rng: Random, slot_seconds: int) -> int:
    """Slots after its first arrival in which a record is delivered again; 0 is the same slot."""
    if rng.random() < 0.35:
        return 0
    return 1 + int((24 * 3600 // slot_seconds + 1) * rng.random() ** 3)
