"""A stream of deliveries with known truth: which are one event, and which event repeats which.

Written apart from the simulator and from the code under test. Every customer has a short story: an issue, told
perhaps again in the same words, on another channel, or by another identifier; perhaps a second issue; perhaps
the same words weeks later. Many customers use the same words, some at the same second.
"""

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from complaint_assets.logic.contract import Contract, build_contract

START = datetime(2026, 10, 1, tzinfo=UTC)
WORDS = {
    "network": ["no signal in our street since dawn", "calls keep dropping every few minutes here"],
    "billing": ["you took money from me that I never agreed to", "why is my invoice double this month"],
    "data": ["browsing bundle vanished overnight again", "internet crawls like a snail each evening"],
}

Json = dict[str, Any]


def _contract(channel: str, source: str, **keys: Any) -> Contract:
    return build_contract(
        {
            "channel": channel,
            "source": source,
            "version": "1",
            "description": "labelled",
            "owner": "team:test",
            "format": {"type": "jsonl"},
            "occurred_at": {"fields": ["at"]},
            "author": [{"field": "phone", "kind": "phone"}, {"field": "email", "kind": "email"}],
            "text": {"fields": ["text"]},
            "required": ["at"],
            "attributes": ["event"],
        }
        | keys
    )


CONTRACTS = {
    "posts": _contract(
        "social", "posts", identity={"record_id": ["id"], "version": "version", "feed": "operator"}
    ),
    "chat": _contract("whatsapp", "chat", identity={"record_id": ["id"]}),
    "letters": _contract("web_form", "letters"),
}
"""Posts come with id, version and feed, chats with an id, letters without any."""


@dataclass
class Stream:
    """``objects``: source and bytes; ``category`` of each event; ``repeat_of``: event and the one it repeats."""

    objects: list[tuple[str, bytes]] = field(default_factory=list)
    category: dict[str, str] = field(default_factory=dict)
    newest_text: dict[str, str] = field(default_factory=dict)
    feeds: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    repeat_of: dict[str, str] = field(default_factory=dict)
    redeliveries: int = 0


class _Writer:
    def __init__(self, seed: int) -> None:
        self.rnd = random.Random(seed)
        self.stream = Stream()
        self.records: list[tuple[str, Json]] = []

    def event(self, source: str, at: datetime, category: str, text: str, **who: str) -> str:
        """One event with all its deliveries; its name."""
        rnd, stream = self.rnd, self.stream
        name = f"e{len(stream.category)}"
        stream.category[name] = category
        stream.newest_text[name] = text
        record = {"event": name, "at": at.isoformat(), "text": text} | who
        deliveries = [record]
        if source != "letters":
            record["id"] = f"{source}-{name}"
        if source == "posts":
            record["version"] = 1
            record["operator"] = rnd.choice("ABCD")
            if rnd.random() < 0.2:
                others = [o for o in "ABCD" if o != record["operator"]]
                deliveries += [record | {"operator": o} for o in rnd.sample(others, rnd.randint(1, 3))]
            if rnd.random() < 0.05:
                stream.newest_text[name] = text + "!"
                deliveries.append(record | {"version": 2, "text": stream.newest_text[name]})
            stream.feeds[name] = {d["operator"] for d in deliveries}
        if rnd.random() < 0.07:
            deliveries.append(record if source != "letters" else record | {"text": self.transported(text)})
        if rnd.random() < 0.01:
            deliveries += [record] * 3
        stream.redeliveries += len(deliveries) - 1
        self.records += [(source, delivery) for delivery in deliveries]
        return name

    def transported(self, text: str) -> str:
        """The same words as another system hands them on."""
        return self.rnd.choice(["  " + text.replace(" ", "  "), text.replace(" ", "\u200b ", 1), text + "\u00a0"])

    def customer(self, number: int) -> None:
        rnd, stream = self.rnd, self.stream
        phone, email = f"+23480312{number:05d}", f"customer{number}@example.com"
        category = rnd.choice(list(WORDS))
        text = rnd.choice(WORDS[category])
        # Whole minutes, so that strangers meet in time and words.
        at = START + timedelta(minutes=rnd.randrange(20 * 24 * 60))
        first = self.event(rnd.choice(list(CONTRACTS)), at, category, text, phone=phone)
        last, told = first, at
        if rnd.random() < 0.3:  # the same words again, which nobody could put into a category
            again = self.event("chat", at + timedelta(minutes=50), "other", text, phone=phone)
            stream.repeat_of[again], last, told = last, again, at + timedelta(minutes=50)
        if rnd.random() < 0.3:  # in other words, on a form that also names an address
            form = self.event("letters", at + timedelta(hours=3), category, rnd.choice(WORDS[category]),
                              phone=phone, email=email)  # fmt: skip
            stream.repeat_of[form], told = last if _alike(stream, last, form) else first, at + timedelta(hours=3)
            if rnd.random() < 0.5:  # and from there by mail, without the phone
                mail = self.event("letters", at + timedelta(hours=7), category, "any news?", email=email)
                stream.repeat_of[mail] = form
        if rnd.random() < 0.2:
            other = rnd.choice([c for c in WORDS if c != category])
            self.event("chat", told + timedelta(hours=1), other, rnd.choice(WORDS[other]), phone=phone)
        if rnd.random() < 0.3:
            self.event("chat", at + timedelta(days=22), category, text, phone=phone)


def _alike(stream: Stream, earlier: str, later: str) -> bool:
    """Whether words or category make the two one matter."""
    return stream.category[earlier] == stream.category[later] or (
        stream.newest_text[earlier].rstrip("!") == stream.newest_text[later].rstrip("!")
    )


def labelled_stream(seed: int, customers: int = 8_500, objects: int = 60) -> Stream:
    """The stream of ``customers``, its deliveries strewn over ``objects`` files in no order."""
    writer = _Writer(seed)
    for number in range(customers):
        writer.customer(number)
    writer.rnd.shuffle(writer.records)
    files: dict[tuple[str, int], list[Json]] = defaultdict(list)
    for source, record in writer.records:
        files[source, writer.rnd.randrange(objects)].append(record)
    for (source, _), records in sorted(files.items(), key=lambda item: item[0]):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        writer.stream.objects.append((source, lines.encode()))
    return writer.stream
