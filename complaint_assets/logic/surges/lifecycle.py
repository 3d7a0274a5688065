"""The life of an incident: open, update, escalate, resolve, reopen; found by replaying all steps in order.

At each step the node and window that chance explains least opens an incident or continues one. Its series
are then taken as expected and the rest is scanned again, so that one outage raises one alarm and not one
per node that contains it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from complaint_assets.logic.facts import UNKNOWN

from .counts import KEYS, Flags, Reals, score, usual_dispersion
from .noise import LOOK_BACK
from .scopes import Scope, common, same_matter, siblings
from .surge_scan import Candidate, Lattice

CALM_HOURS = 4
"""Calm hours that resolve an incident; those in which its people are hardly ever heard do not count."""
NEWS_HOURS = 36
"""Hours without anything new that resolve it too: a source that knows days only has then passed over one."""
REOPEN_HOURS = 12
"""Hours after it was resolved in which more of the same reopens an incident."""

_MOST_PER_STEP = 6
_RECENT_HOURS = 2
_SAME_ONSET_HOURS = 3
_GOING_ON = 1.25  # times the expected
_MUCH_WIDER = 4.0
_HIGH_SCORE = 3.0
_HARDLY = 0.05  # of the usual of an hour of the day before


@dataclass(frozen=True)
class Transition:
    """What happened to an incident, at the end of ``step``."""

    kind: str
    step: int
    severity: int
    observed: float
    expected: float


@dataclass
class Incident:
    """An incident so far; steps are positions in what is replayed."""

    scope: Scope
    series: Flags
    started: int
    detected: int
    last: int
    score: float
    gain: float
    severity: int = 3
    calm: int = 0
    resolved: int | None = None
    held: list[Scope] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.resolved is None

    def told_at(self, per_hour: int) -> tuple[float, ...]:
        """Hours, from the begin of the replay, at whose ends something worse was told of it."""
        return tuple(
            (c.step + 1) / per_hour for c in self.transitions if c.kind in ("update", "escalate", "reopen")
        )

    def copy(self) -> "Incident":
        """As it is now, whatever becomes of it."""
        return replace(self, held=list(self.held), transitions=list(self.transitions))


class Replay:
    """All incidents of the first ``passed`` steps.

    Args:
        lattice: what is scanned.
        thresholds: score that opens an incident, per day.
        passed: steps that there are data of.
        known: incidents so far, if the lattice begins with what is remembered; they live on.
        gravity: [series] usual severity of its complaints, 1 to 5; None = not known.
        subscribers: [region code] number of subscribers, 0 = not known; None = of no region.
    """

    def __init__(
        self,
        lattice: Lattice,
        thresholds: Reals,
        passed: int,
        *,
        known: Sequence[Incident] = (),
        gravity: Reals | None = None,
        subscribers: Reals | None = None,
    ) -> None:
        self.cube = lattice.cube
        self.lattice = lattice
        self.per_hour = lattice.per_hour
        self.gravity = gravity
        self.subscribers = subscribers
        self.incidents = list(known)
        self.ends: list[dict[int, Incident]] = []
        """At the end of each day that has passed: the incidents that may go on, as they were, by position."""
        hot = lattice.peaks >= np.repeat(thresholds, 24 * self.per_hour)
        active = [incident for incident in self.incidents if incident.is_open]
        for step in range(lattice.first_day * 24 * self.per_hour, passed):
            if hot[step]:
                self._look(step, float(thresholds[step // (24 * self.per_hour)]))
                active = [i for i in self.incidents if i.is_open]
            for incident in active:
                self._step(incident, step)
            if active:
                active = [incident for incident in active if incident.is_open]
            if (step + 1) % (24 * self.per_hour) == 0:
                self.ends.append({n: i.copy() for n, i in enumerate(self.incidents) if self._may_go_on(i, step)})

    def _may_go_on(self, incident: Incident, step: int) -> bool:
        """Whether what comes after ``step`` may continue it: an onset may lie a look-back before its alarm."""
        return incident.resolved is None or incident.resolved > step - (REOPEN_HOURS + LOOK_BACK) * self.per_hour

    def _look(self, step: int, threshold: float) -> None:
        """Open or continue what stands out at the end of ``step``."""
        first = max(0, step + 1 - LOOK_BACK * self.per_hour)
        usual = self.lattice.expected(first, step + 1)
        rest = self._rest(first, step, usual, None)
        for _ in range(_MOST_PER_STEP):
            candidate = self.lattice.best(rest, step, threshold)
            if candidate is None:
                break
            self._assign(candidate, rest, usual, step, threshold)
            explained = candidate.series | self._unplaced(candidate.scope)
            rest[explained] = usual[explained]

    def _rest(self, first: int, step: int, usual: Reals, but: Incident | None) -> Reals:
        """Counts without what is told already: it is no evidence of anything else."""
        rest = self.lattice.seen[:, first : step + 1].astype(float)
        for incident in self.incidents:
            if incident is but or incident.last < first:
                continue
            told = slice(max(0, incident.started - first), max(0, incident.last + 1 - first))
            explained = incident.series | self._unplaced(incident.scope)
            rest[explained, told] = usual[explained, told]
        return rest

    def _unplaced(self, scope: Scope) -> Flags:
        """The series without a region in the matter of ``scope``, if that names a region.

        Many who complain of an outage do not say where they are: they are part of it, not a second one.
        """
        none = np.zeros(self.lattice.series, dtype=bool)
        if scope.regions in (None, (UNKNOWN,)):
            return none
        regions, categories = (
            np.array(self.cube.names[KEYS.index(key)])[self.cube.codes[KEYS.index(key)]]
            for key in ("region", "category")
        )
        return np.asarray((regions == UNKNOWN) & ((categories == scope.category) | (scope.category is None)))

    def _assign(self, candidate: Candidate, rest: Reals, usual: Reals, step: int, threshold: float) -> None:
        """Open an incident for ``candidate``, or continue the one that it belongs to."""
        length = candidate.steps
        excess = rest[candidate.series, -length:].sum(0) - usual[candidate.series, -length:].sum(0)
        started = step + 1 - length + _onset(excess)
        weights = usual.sum(1)
        closeness = [
            self._closeness(candidate, incident, weights, started, step, threshold) for incident in self.incidents
        ]
        if not any(closeness):
            if not self._is_new(candidate, rest, usual, step, threshold):
                return
            incident = Incident(
                candidate.scope,
                candidate.series,
                started,
                step,
                step,
                candidate.score,
                candidate.gain,
                held=[candidate.scope],
            )
            self.incidents.append(incident)
            incident.severity = self._severity(incident)
            self._tell(incident, "open", step)
            return
        incident = self.incidents[int(np.argmax(closeness))]
        incident.last, incident.calm = step, 0
        reopened, incident.resolved = not incident.is_open, None
        scope = incident.scope
        self._place(incident, candidate, step, threshold)
        if candidate.scope not in incident.held:
            incident.held.append(candidate.scope)  # whatever explains most: it is part of this
        observed, expected = self.totals(incident)
        told = incident.transitions[-1]
        if reopened:
            self._tell(incident, "reopen", step)
        elif incident.scope != scope or observed - expected >= 2 * max(told.observed - told.expected, 1.0):
            self._tell(incident, "update", step)

    def _is_new(self, candidate: Candidate, rest: Reals, usual: Reals, step: int, threshold: float) -> bool:
        """Whether ``candidate`` stands out without what open incidents bring at ``step``, too."""
        going_on = np.zeros(self.lattice.series, dtype=bool)
        for incident in self.incidents:
            if incident.is_open and incident.calm == 0:
                going_on |= incident.series
        if not (going_on & candidate.series).any():
            return True
        without = rest.copy()
        without[going_on, -1] = usual[going_on, -1]
        return self.lattice.best(without, step, threshold, candidate.series) is not None

    def _place(self, incident: Incident, candidate: Candidate, step: int, threshold: float) -> None:
        """Let the scope that explains most of all that was seen since the start be that of ``incident``."""
        first = max(incident.started, step + 1 - LOOK_BACK * self.per_hour)
        usual = self.lattice.expected(first, step + 1)
        whole = self._rest(first, step, usual, incident)
        own = self.lattice.best(whole, step, threshold, incident.series | candidate.series)
        for found in (candidate, own):
            if found is None:
                continue
            incident.score = max(incident.score, found.score)
            if found.gain <= incident.gain:
                continue
            if found.scope.regions == (UNKNOWN,) and incident.scope.regions is not None:
                continue
            incident.gain, incident.scope, incident.series = found.gain, found.scope, found.series
            if found.scope not in incident.held:
                incident.held.append(found.scope)

    def _closeness(
        self,
        candidate: Candidate,
        incident: Incident,
        weights: Reals,
        started: int,
        step: int,
        threshold: float,
    ) -> float:
        """How far the two are the same matter, 0 = not."""
        cool_down = REOPEN_HOURS * self.per_hour
        if incident.resolved is not None and started > incident.resolved + cool_down:
            return 0.0
        if candidate.scope in incident.held:
            return 3.0
        if candidate.scope == Scope(None, incident.scope.category, (UNKNOWN,)):
            return 2.0  # people who do not say where they are
        if incident.resolved is not None and started > incident.last:
            return 0.0
        shared = weights[candidate.series & incident.series].sum()
        sizes = weights[candidate.series].sum(), weights[incident.series].sum()
        if shared > 0 and shared >= 0.5 * min(sizes):
            if started > incident.started + _SAME_ONSET_HOURS * self.per_hour and self._is_apart(
                candidate, incident, sizes, started, step, threshold
            ):
                return 0.0
            return 1.0 + float(shared / max(sizes))
        if siblings(candidate.scope, incident.scope):
            return 0.5
        if abs(started - incident.started) > _SAME_ONSET_HOURS * self.per_hour:
            return 0.0
        together = same_matter(candidate.scope, incident.scope)
        return 0.5 if together or self._is_part(candidate, incident, started, step) else 0.0

    def _is_part(self, candidate: Candidate, incident: Incident, started: int, step: int) -> bool:
        """Whether what is around both is high as well: both are parts of something wider."""
        wider = common(candidate.scope, incident.scope)
        around = self.lattice.series_of(wider) & ~candidate.series & ~incident.series
        first = max(min(started, incident.started), step + 1 - LOOK_BACK * self.per_hour)
        seen, usual, more = (values[around].sum() for values in self.lattice.by_step(first, step + 1))
        spread = usual + more + 2 * usual_dispersion() * usual**2
        return bool(score(np.array([seen]), np.array([usual]), np.array([spread]))[0] >= _HIGH_SCORE)

    def _is_apart(
        self,
        candidate: Candidate,
        incident: Incident,
        sizes: tuple[float, float],
        started: int,
        step: int,
        threshold: float,
    ) -> bool:
        """Whether ``candidate``, begun later, is more than ``incident`` going on: much wider, or much steeper.

        A part of it is more as well if it began after the last excess and the rest is back to what is usual.
        """
        if sizes[0] >= _MUCH_WIDER * sizes[1]:
            return True
        if sizes[0] > sizes[1] / 2:
            return False
        seen, mean, more = self.lattice.by_step(step + 1 - candidate.steps, step + 1)
        others = incident.series & ~candidate.series
        factor = max(float(seen[others].sum() / max(mean[others].sum(), 1e-9)), 1.0)
        if started > incident.last + self.per_hour and factor < _GOING_ON:
            return True
        count, usual = (np.array([values[candidate.series].sum()]) for values in (seen, factor * mean))
        noise = factor**2 * self.lattice.part(candidate.steps) * more[candidate.series].sum()
        spread = usual + noise + 2 * usual_dispersion() * usual**2
        return bool(score(count, usual, spread)[0] >= threshold + 2)

    def _step(self, incident: Incident, step: int) -> None:
        """Move the life cycle of an open incident by one step."""
        if incident.started > step:
            return
        first = max(0, step + 1 - _RECENT_HOURS * self.per_hour)
        seen, expected, spread = self._window(incident, first, step + 1)
        if seen.sum() >= _GOING_ON * expected.sum() + np.sqrt(spread) + 0.5:
            incident.calm = 0
            if seen[-self.per_hour :].sum() > expected[-self.per_hour :].sum():
                incident.last = step
        else:
            incident.calm += self._usually_heard(incident, expected, step)
            calm, without_news = incident.calm, step - incident.last
            if calm >= CALM_HOURS * self.per_hour or without_news >= NEWS_HOURS * self.per_hour:
                incident.resolved = step
                self._tell(incident, "resolve", step)
                return
        severity = self._severity(incident)
        if severity < incident.severity:
            incident.severity = severity
            self._tell(incident, "escalate", step)

    def _usually_heard(self, incident: Incident, expected: Reals, step: int) -> bool:
        """Whether a quiet ``step`` tells anything: a source that knows days only is not calm in the hours between.

        Args:
            expected: [step] of the recent hours.
        """
        hour = step // self.per_hour
        day = self.cube.measures["expected"][incident.series, max(0, hour - 23) : hour + 1].sum(0)
        return bool(expected.sum() * self.per_hour / len(expected) > _HARDLY * day.mean())

    def _window(self, incident: Incident, first: int, end: int) -> tuple[Reals, Reals, float]:
        """Observed and expected counts [step], and the variance of their sum."""
        hours = slice(first // self.per_hour, -(-end // self.per_hour))
        seen = self.lattice.seen[incident.series, first:end].sum(0)
        expected = self.lattice.expected(first, end)[incident.series].sum(0)
        # Series by series: those of which nothing was expected then change no digit.
        return seen, expected, float(self.cube.measures["variance"][incident.series, hours].sum(0).sum())

    def _tell(self, incident: Incident, kind: str, step: int) -> None:
        observed, expected = self.totals(incident)
        incident.transitions.append(Transition(kind, step, incident.severity, observed, expected))

    def totals(self, incident: Incident) -> tuple[float, float]:
        """Observed and expected over the steps of the incident."""
        seen, expected, _ = self._window(incident, incident.started, incident.last + 1)
        return float(seen.sum()), float(expected.sum())

    def _severity(self, incident: Incident) -> int:
        """1, 2 or 3 from excess and ratio so far, width, gravity and the rate among subscribers."""
        observed, expected = self.totals(incident)
        excess, ratio = observed - expected, observed / max(expected, 1e-9)
        wide = incident.scope.fixed <= 1 and incident.scope.channel is None
        grave = self.gravity is not None and float(np.median(self.gravity[self._heard(incident)])) >= 4
        many = self.rate(incident, excess) >= 20
        if ratio >= 3 and excess >= 20 and (excess >= 50 or wide or many or grave):
            return 1
        return 2 if (ratio >= 2 and excess >= 20) or many else 3

    def _heard(self, incident: Incident) -> Flags:
        """Its series of which anything was expected meanwhile: others were not there, or are not yet."""
        hours = slice(incident.started // self.per_hour, incident.last // self.per_hour + 1)
        return np.asarray(incident.series & self.cube.measures["expected"][:, hours].any(1))

    def rate(self, incident: Incident, excess: float) -> float:
        """Excess per 100,000 subscribers of its regions; 0 if unknown."""
        if self.subscribers is None:
            return 0.0
        regions = np.unique(self.cube.codes[KEYS.index("region")][self._heard(incident)])
        people = float(self.subscribers[regions].sum())
        return excess / people * 100_000 if people > 0 else 0.0


def _onset(excess: Reals) -> int:
    """Where the sum of what follows is greatest: the first step of the excess."""
    return int(np.argmax(np.cumsum(excess[::-1])[::-1]))
