"""Run the simulation: hour by hour, source by source, in bounded memory."""

import json
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from . import faults
from .formats import SOURCES, Document, Payload, Source, pack, spoil
from .phrases import Phrases, load_phrases
from .traffic import HOUR, PROFILES, Contact, Hour, Outage, Plan, Traffic, whole_hour
from .write import Files, slot_start

LEAST, MOST = 1000, 10_000_000
"""Deliveries that can be simulated."""
BUSY = 400
"""Deliveries an hour from which a streaming source is delivered every quarter of an hour."""
_RECENT = 300


@dataclass
class Counts:
    """What was written for one source: deliveries = events + redeliveries + edits + malformed.

    Of the events, some are reposts, repeats (same customer, same matter, within a day) or late (first
    delivered in a later slot than they happened in); malformed records belong to no event.
    """

    events: int = 0
    deliveries: int = 0
    redeliveries: int = 0
    edits: int = 0
    reposts: int = 0
    repeats: int = 0
    late: int = 0
    malformed: int = 0
    files: int = 0


@dataclass(frozen=True)
class Summary:
    """What was written in all, what was planted, and the counts of each ``channel/source``."""

    deliveries: int
    events: int
    files: int
    outages: tuple[Outage, ...]
    sources: dict[str, Counts]


def simulate(
    folder: Path,
    *,
    deliveries: int,
    start: datetime,
    days: int,
    seed: int = 1,
    truth: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Write about ``deliveries`` records of nine sources from ``start`` on into ``folder``, and what is in them.

    The same arguments give the same bytes. Files lie under ``<channel>/<source>/<slot>/``; ``truth`` is
    written last, as JSON; ``progress`` is told after every simulated hour how many records there are.

    Raises:
        ValueError: ``deliveries`` or ``days`` is out of range, or ``start`` is no whole hour in UTC.
    """
    if not LEAST <= deliveries <= MOST:
        raise ValueError(f"deliveries must be from {LEAST} to {MOST}, not {deliveries}")
    if days < 1:
        raise ValueError(f"days must be at least 1, not {days}")
    if not whole_hour(start):
        raise ValueError(f"start must be a whole hour in UTC, not {start.isoformat()}")
    social = sum(PROFILES[source.key].share for source in SOURCES if source.edit)
    per_event = 1 + faults.REDELIVERED + faults.MALFORMED + faults.EDITED * social
    plan = Plan(round(deliveries / per_event), start, days, seed)
    traffic = Traffic(plan, days)
    feeds = [Feed(folder, source, plan, traffic, seed) for source in SOURCES]
    for hour in plan:
        for feed in feeds:
            feed.run(hour)
        if progress:
            progress(sum(feed.counts.deliveries for feed in feeds))
    counts = {feed.source.key: feed.counts for feed in feeds}
    summary = Summary(
        sum(count.deliveries for count in counts.values()),
        sum(count.events for count in counts.values()),
        sum(count.files for count in counts.values()),
        plan.outages,
        counts,
    )
    if truth:
        text = json.dumps({"start": start, "days": days, "seed": seed, **asdict(summary)}, indent=2, default=_iso)
        truth.parent.mkdir(parents=True, exist_ok=True)
        truth.write_text(text + "\n", encoding="utf-8")
    return summary


def _iso(moment: datetime) -> str:
    return moment.isoformat()


class Feed:
    """One source through the hours: makes its records, loses and doubles some, and writes its files.

    Held between hours are the records that arrive later (three days of late ones at most), today's part of
    a daily export, and a few recent posts.
    """

    def __init__(self, folder: Path, source: Source, plan: Plan, traffic: Traffic, seed: int) -> None:
        self.source = source
        self.counts = Counts()
        self._files = Files(folder, source)
        self._traffic = traffic
        self._phrases: Phrases = load_phrases()
        self._seed = seed
        end = int(plan.start.timestamp()) + plan.hours * HOUR
        self._last_hour = end - HOUR
        self._last_slot = self._last_hour // source.slot_seconds
        self._batches = 4 if PROFILES[source.key].share * plan.events / plan.hours >= BUSY else 1
        rng = Random(f"{seed}/{source.key}")
        self._redelivered = faults.Quota(faults.REDELIVERED, rng)
        self._late = faults.Quota(faults.LATE, rng)
        self._malformed = faults.Quota(faults.MALFORMED, rng)
        self._edited = faults.Quota(faults.EDITED, rng)
        self._reposted = faults.Quota(faults.REPOSTED, rng)
        self._recent: deque[Document] = deque(maxlen=_RECENT)
        self._later: dict[int, list[Payload]] = defaultdict(list)
        self._today: list[Payload] = []
        self._part = 0

    def run(self, hour: Hour) -> None:
        """Make the records of ``hour`` and write the files that it completes."""
        rng = Random(f"{self._seed}/{self.source.key}/{hour.index}")
        slot = hour.epoch // self.source.slot_seconds
        arrived = self._records(rng, hour, slot)
        if self.source.is_hourly:
            self._write_hour(rng, slot, arrived)
        else:
            self._today += [payload for _, payload in arrived]
            self._write_day(rng, slot, is_over=hour.start.hour == 23 or hour.epoch == self._last_hour)
        self.counts.files = self._files.count

    def _records(self, rng: Random, hour: Hour, slot: int) -> list[tuple[int, Payload]]:
        """What arrives on time, with the second; what does not is put aside for a later slot."""
        source, counts = self.source, self.counts
        planned = self._traffic.plan.usual(hour, source.key)
        broken = len(self._malformed.some(rng, range(planned), of=planned))
        contacts = self._traffic.contacts(rng, hour, source.key, broken, faults.REPEATED)
        ordinary = [place for place, contact in enumerate(contacts) if contact.origin != "outage"]
        spoilt = set(rng.sample(ordinary, broken))
        good = [place for place in range(len(contacts)) if place not in spoilt]
        late = self._late.some(rng, good, of=len(good))
        doubled = self._redelivered.some(rng, good, of=len(good))
        reposts: set[int] = set()
        if source.repost and self._recent:
            usual = [place for place in good if contacts[place].origin == "usual"]
            reposts = self._reposted.some(rng, usual, of=len(good))
        edits: set[int] = set()
        if source.edit:
            # An edit on time would make a late post arrive on time.
            editable = [place for place in good if place not in reposts | late]
            edits = self._edited.some(rng, editable, of=len(good))

        arrived: list[tuple[int, Payload]] = []
        for place, contact in enumerate(contacts):
            document = source.render(hour, contact, self._phrases, rng)
            counts.deliveries += 1
            if place in spoilt:
                counts.malformed += 1
                arrived.append((contact.second, spoil(source, document, rng)))
                continue
            counts.events += 1
            counts.repeats += contact.origin == "repeat"
            if place in reposts and source.repost:
                counts.reposts += 1
                source.repost(document, rng.choice(self._recent))
            elif source.repost:
                self._recent.append(document)
            payload = pack(document)
            behind = self._delay(rng, slot, faults.late_by) if place in late else 0
            if behind:
                counts.late += 1
                self._later[slot + behind].append(payload)
            else:
                arrived.append((contact.second, payload))
            if place in edits and source.edit:
                self._edit(rng, hour, contact, document)
            if place in doubled:
                self._again(rng, slot, behind, document, payload)
        return arrived

    def _delay(self, rng: Random, slot: int, draw: Callable[[Random, int], int]) -> int:
        """Slots to wait, cut down where the simulation ends before."""
        return min(draw(rng, self.source.slot_seconds), self._last_slot - slot)

    def _edit(self, rng: Random, hour: Hour, contact: Contact, document: Document) -> None:
        """Deliver ``document`` once more, as edited within the hour after it was posted."""
        if self.source.edit is None:
            return
        second = min(contact.second + 30 + int(rng.random() * HOUR), self._last_hour + HOUR - 1 - hour.epoch)
        addition = self._phrases.edit(rng, contact.customer)
        edited = self.source.edit(hour, second, contact, document, addition)
        self._later[(hour.epoch + second) // self.source.slot_seconds].append(pack(edited))
        self.counts.edits += 1
        self.counts.deliveries += 1

    def _again(self, rng: Random, slot: int, behind: int, document: Document, payload: Payload) -> None:
        """Deliver once more what arrived, or will, ``behind`` slots after ``slot``."""
        wait = self._delay(rng, slot + behind, faults.again_after)
        if wait and self.source.again:
            payload = pack(self.source.again(document, (behind + wait) * self.source.slot_seconds))
        self._later[slot + behind + wait].append(payload)
        self.counts.redeliveries += 1
        self.counts.deliveries += 1

    def _write_hour(self, rng: Random, slot: int, arrived: list[tuple[int, Payload]]) -> None:
        """One file, or one per quarter; what comes late or again comes with the last."""
        batches: list[list[Payload]] = [[] for _ in range(self._batches)]
        for second, payload in arrived:
            batches[second * self._batches // HOUR].append(payload)
        batches[-1] += self._later.pop(slot, [])
        start = slot_start(slot, HOUR)
        for number, batch in enumerate(batches):
            if batch:
                name = f"{self.source.stem}-{start:%H}{60 // self._batches * number:02}"
                self._files.write(start, name, batch, rng)

    def _write_day(self, rng: Random, slot: int, *, is_over: bool) -> None:
        """Write the day's export as far as it fills files, and the rest when the day is over."""
        if is_over:
            self._today += self._later.pop(slot, [])
        full = self.source.rows_per_file
        while len(self._today) >= full or (is_over and self._today):
            self._part += 1
            start = slot_start(slot, self.source.slot_seconds)
            name = f"{self.source.stem}_{start:%Y%m%d}" + (f"_{self._part}" if self._part > 1 else "")
            self._files.write(start, name, self._today[:full], rng)
            del self._today[:full]
        if is_over:
            self._part = 0
