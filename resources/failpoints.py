"""Named failpoints: where a test kills or stops this process, to prove that nothing is lost by it.

``COMPLAINTS_FAILPOINT=name[:nth][:stop]`` sends SIGKILL (or SIGSTOP) to the process that passes the
failpoint ``name`` for the ``nth`` time. The names are found in the source: ``failpoint("...")``.
"""

import os
import signal
from collections import Counter

passed: Counter[str] = Counter()
"""How often each failpoint has been passed since something was armed."""
_armed: tuple[str, int, signal.Signals] | None = None


def arm(text: str) -> None:
    """Die, or stop, at ``name[:nth][:stop]``; an empty name only counts what is passed."""
    global _armed
    name, *rest = text.split(":")
    stops = "stop" in rest
    nth = next((int(part) for part in rest if part != "stop"), 1)
    passed.clear()
    _armed = (name, nth, signal.SIGSTOP if stops else signal.SIGKILL)


def failpoint(name: str) -> None:
    """Pass the failpoint ``name``: nothing happens unless one is armed."""
    if _armed is None:
        return
    passed[name] += 1
    if (name, passed[name]) == _armed[:2]:
        os.kill(os.getpid(), _armed[2])


# Not in production, where a stray setting must not kill a run.
if (_set := os.environ.get("COMPLAINTS_FAILPOINT")) and os.environ.get("COMPLAINTS_ENV") != "prod":
    arm(_set)
