"""The nine sources: what each makes of a contact, and how its records come out wrong.

A document is a record before it is written: a JSON object, or the cells of a row.
"""

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from random import Random
from typing import Any, Literal

from .customers import City
from .phrases import STYLES, Phrases, spoken_phone
from .traffic import COMPLAINTS, Contact, Hour

Document = Any
"""``dict`` or ``list``: what the native format nests."""
Render = Callable[[Hour, Contact, Phrases, Random], Document]
Fault = Literal["cut", "columns", "no id", "no time", "bad time"]
Path = tuple[str | int, ...]

SHORT_CODE = "300"
_HASH = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_X_EPOCH = 1_288_834_974_657
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel knows no zones
_RETWEET = 140


def _unique(serial: int) -> str:
    """Sixteen hex digits that only ``serial`` has."""
    return f"{serial * _HASH & _MASK:016x}"


def _either(rng: Random, choices: Sequence[Any]) -> Any:
    return choices[int(rng.random() * len(choices))]


def _state(rng: Random, city: City, missing: Sequence[str]) -> str:
    """The state as somebody spelled it, or a code for a missing value."""
    state = city.state
    return str(_either(rng, (state, state, state, state.upper(), f"{state} State", state.lower(), *missing)))


# social/x


def _x_id(epoch: int, serial: int, is_edit: bool) -> str:
    return str((epoch * 1000 - _X_EPOCH) << 22 | (serial & 0x1FFFFF) << 1 | is_edit)


def x_post(hour: Hour, contact: Contact, phrases: Phrases, rng: Random) -> Document:
    """A post on X, as the filtered stream delivers it."""
    who = contact.customer
    text = phrases.say(rng, phrases.themes[contact.theme], STYLES["social"], who)
    post = _x_id(hour.epoch + contact.second, contact.serial, False)
    data = {
        "id": post,
        "text": escape(text[:280], quote=False),
        "created_at": f"{hour.utc(contact.second)}.000Z",
        "author_id": who.platform_id,
        "lang": _either(rng, ("en", "en", "en", "en", "und")),
        "edit_history_tweet_ids": [post],
    }
    if rng.random() < 0.12:
        name = who.city.names[int(rng.random() * len(who.city.names))]
        data["geo"] = {"full_name": name if "," in name else f"{name}, {who.city.state}"}
    user = {"id": who.platform_id, "username": who.handle, "name": who.name}
    if rng.random() < 0.5:
        user["location"] = _either(rng, (who.city.name, f"{who.city.name}, Nigeria", "Nigeria", "everywhere"))
    return {"data": data, "includes": {"users": [user]}}


def x_repost(document: Document, original: Document) -> None:
    """Make ``document`` a bare retweet of ``original``."""
    data = document["data"]
    author = original["includes"]["users"][0]["username"]
    text = f"RT @{author}: {original['data']['text']}"
    data["text"] = text if len(text) <= _RETWEET else text[: _RETWEET - 1] + "…"
    data["referenced_tweets"] = [{"type": "retweeted", "id": original["data"]["id"]}]
    data.pop("geo", None)


def x_edit(hour: Hour, second: int, contact: Contact, document: Document, addition: str) -> Document:
    """The new post that an edit of ``document`` makes, ``second`` seconds into ``hour``."""
    edited = deepcopy(document)
    edited["data"]["id"] = _x_id(hour.epoch + second, contact.serial, True)
    edited["data"]["edit_history_tweet_ids"].append(edited["data"]["id"])
    edited["data"]["text"] += " " + escape(addition, quote=False)
    return edited


# social/mastodon

_TAG = '<a href="https://mastodon.example/tags/{0}" class="mention hashtag" rel="tag">#<span>{0}</span></a>'


def toot(hour: Hour, contact: Contact, phrases: Phrases, rng: Random) -> Document:
    """A post on Mastodon, as the streaming API delivers it."""
    who = contact.customer
    text = escape(phrases.say(rng, phrases.themes[contact.theme], STYLES["social"], who), quote=False)
    if rng.random() < 0.3:
        text += "<br>" + _TAG.format("okwutel")
    return {
        "id": str((hour.epoch * 1000 << 16) + (contact.serial & 0x3FFFFF) * 50),
        "created_at": f"{hour.utc(contact.second)}.000Z",
        "edited_at": None,
        "content": f"<p>{text}</p>",
        "language": _either(rng, ("en", "en", "en", None)),
        "account": {
            "id": who.platform_id,
            "acct": f"{who.handle}@social.example" if who.number % 3 else who.handle,
            "display_name": who.name,
        },
        "reblog": None,
        "visibility": "public",
    }


def toot_repost(document: Document, original: Document) -> None:
    """Make ``document`` a boost of ``original``."""
    document["content"] = ""
    document["reblog"] = {
        "id": original["id"],
        "account": {"acct": original["account"]["acct"]},
        "content": original["content"],
    }


def toot_edit(hour: Hour, second: int, _contact: Contact, document: Document, addition: str) -> Document:
    """``document`` as edited ``second`` seconds into ``hour``."""
    moment = (hour.start + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    content = f"{document['content']}<p>{escape(addition, quote=False)}</p>"
    return {**document, "edited_at": moment, "content": content}


# sms/gateway and whatsapp/cloud_api


def sms(hour: Hour, contact: Contact, phrases: Phrases, rng: Random) -> Document:
    """A message to the short code."""
    who = contact.customer
    text = phrases.say(rng, phrases.themes[contact.theme], STYLES["sms"], who)
    return {
        "messageId": "SM" + _unique(contact.serial),
        "from": who.phone if rng.random() < 0.7 else "0" + who.phone[4:],
        "to": SHORT_CODE,
        "text": text,
        "receivedAt": hour.local(contact.second),
        "network": _either(rng, ("4G", "4G", "3G", "2G", None)),
        "smsCount": 1 + len(text) // 160,
    }


def whatsapp(hour: Hour, contact: Contact, phrases: Phrases, rng: Random) -> Document:
    """A customer's message with the contact it came from; the writer puts them into webhook bodies."""
    who = contact.customer
    text = phrases.say(rng, phrases.themes[contact.theme], STYLES["whatsapp"], who)
    return {
        "contact": {"profile": {"name": who.name}, "wa_id": who.phone[1:]},
        "message": {
            "from": who.phone[1:],
            "id": f"wamid.HBgN{_unique(contact.serial).upper()}FQIAEhg",
            "timestamp": str(hour.epoch + contact.second),
            "type": "text",
            "text": {"body": text},
        },
    }


# call_centre/contact_log

LOG_COLUMNS = [
    "Case ID",
    "Opened",
    "Closed",
    "Agent",
    "Caller Number",
    "Customer Name",
    "Account No",
    "Category",
    "Sub Category",
    "Notes",
    "State",
    "City",
    "Status",
    "Rating",
]
_AGENTS = [f"{initial}. {name}" for initial in "ABCEFKMNOT" for name in ("Bello", "Okeke", "Ajayi", "Etim")]
_NONE = ("", "", "N/A", "-")
_LOG_TIME = "%d/%m/%Y %H:%M"


def case(hour: Hour, contact: Contact, phrases: Phrases, rng: Random) -> Document:
    """A row of the call centre's log, as it stands when the day is exported."""
    who = contact.customer
    theme = phrases.themes[contact.theme]
    opened = hour.local_at(contact.second)
    minutes = int(3 + 240 * rng.random() ** 2)
    is_done = rng.random() < 0.5 and hour.start.hour * 60 + contact.second // 60 + minutes < 1440
    return [
        f"CC-{hour.start:%Y%m%d%H}-{contact.serial & 0x3FFFFF:05}",
        opened.strftime(_LOG_TIME),
        (opened + timedelta(minutes=minutes)).strftime(_LOG_TIME) if is_done else "",
        _either(rng, _AGENTS),
        spoken_phone(rng, who.phone),
        who.name if rng.random() < 0.9 else _either(rng, _NONE),
        who.account if rng.random() < 0.7 else _either(rng, _NONE),
        theme.category[0] if rng.random() < 0.95 else "",
        theme.category[1] if rng.random() < 0.85 else "",
        phrases.note(rng, theme, who),
        _state(rng, who.city, ("N/A", "")),
        who.city.name if rng.random() < 0.9 else _either(rng, _NONE),
        _either(rng, ("Resolved", "Resolved", "Closed")) if is_done else _either(rng, ("Open", "Open", "Pending")),
        _score(rng, contact.theme) if is_done and rng.random() < 0.5 else "",
    ]


def case_again(document: Document, seconds: int) -> Document:
    """The row of a case ``seconds`` later: what was open may be closed by then."""
    if document[2]:
        return document
    # Exactly half of the time: later exports never reach into the future.
    closed = datetime.strptime(document[1], _LOG_TIME) + timedelta(seconds=seconds // 2)  # noqa: DTZ007
    return [*document[:2], closed.strftime(_LOG_TIME), *document[3:12], "Resolved", document[13]]


# web_form

_PAGES = ("/help", "/contact", "/support/network", "/support/billing", "/home-internet", "")
_WEBSITE_COLUMNS = "submission_id,submitted_at,name,email,phone,topic,message,state,city,latitude,longitude,page"
WEBSITE_COLUMNS = _WEBSITE_COLUMNS.split(",")


def _near(rng: Random, city: City) -> tuple[float, float]:
    return (
        round(city.latitude + (rng.random() - 0.5) * 0.06, 5),
        round(city.longitude + (rng.random() - 0.5) * 0.06, 5),
    )


def submission(hour: Hour, contact: Contact, phrases: Phrases, rng: Random) -> Document:
    """A row of the website's contact form."""
    who = contact.customer
    theme = phrases.themes[contact.theme]
    latitude, longitude = _near(rng, who.city) if rng.random() < 0.5 else (-1, -1)
    return [
        f"W-{_unique(contact.serial)}",
        hour.local(contact.second).replace(" ", "T") + "+01:00",
        who.name,
        who.email if rng.random() < 0.9 else _either(rng, ("", "NA")),
        spoken_phone(rng, who.phone) if rng.random() < 0.8 else _either(rng, ("", "NA")),
        theme.topic if rng.random() < 0.9 else "Other",
        phrases.say(rng, theme, STYLES["form"], who),
        _state(rng, who.city, ("NA", "")),
        who.city.name if rng.random() < 0.85 else _either(rng, ("", "NA")),
        str(latitude),
        str(longitude),
        _either(rng, _PAGES),
    ]


def app_report(hour: Hour, contact: Contact, phrases: Phrases, rng: Random) -> Document:
    """A report from the help form of the mobile app."""
    who = contact.customer
    theme = phrases.themes[contact.theme]
    location = None
    if rng.random() < 0.6:
        latitude, longitude = _near(rng, who.city) if rng.random() < 0.95 else (-1, -1)
        location = {"lat": latitude, "lon": longitude}
    return {
        "id": f"app-{_unique(contact.serial)}",
        "created": (hour.epoch + contact.second) * 1000,
        "email": who.email if rng.random() < 0.6 else None,
        "msisdn": who.phone[1:],
        "subject": theme.topic,
        "body": phrases.say(rng, theme, STYLES["app"], who),
        "device": _either(rng, ("Android 14", "Android 13", "Android 12", "iOS 18", "iOS 17", None)),
        "app_version": _either(rng, ("5.2.0", "5.2.1", "5.1.9", "4.8.0")),
        "location": location,
        "rating": int(_score(rng, contact.theme)) if rng.random() < 0.3 else None,
    }


# survey

CSAT_COLUMNS = ["response_id", "completed_at", "msisdn", "score", "comment", "contact_channel", "state"]
NPS_COLUMNS = (
    "Response ID",
    "Date",
    "Phone",
    "How likely are you to recommend us? (0-10)",
    "Why?",
    "Region",
)


def _score(rng: Random, theme: str) -> str:
    """A rating from 1 to 5 that fits what it is about."""
    if theme == "praise":
        return str(_either(rng, "4555555"))
    return str(_either(rng, "1111222234" if theme in COMPLAINTS else "2333444455"))


def _comment(rng: Random, contact: Contact, phrases: Phrases, score: int, middle: int) -> str:
    """Nothing, a few stock words or a sentence."""
    kind = rng.random()
    if kind < 0.45:
        return ""
    if kind < 0.7:
        return phrases.remark(rng, "fair" if score == middle else "bad" if score < middle else "good")
    return phrases.say(rng, phrases.themes[contact.theme], STYLES["comment"], contact.customer)


def csat(hour: Hour, contact: Contact, phrases: Phrases, rng: Random) -> Document:
    """A row of the satisfaction survey."""
    who = contact.customer
    score = _score(rng, contact.theme)
    return [
        f"R-{_unique(contact.serial)}",
        hour.local(contact.second),
        who.phone if rng.random() < 0.95 else "",
        score if rng.random() < 0.98 else "",
        _comment(rng, contact, phrases, int(score), 3),
        _either(rng, ("call", "call", "chat", "shop", "app", "")),
        _state(rng, who.city, ("",)),
    ]


def nps(hour: Hour, contact: Contact, phrases: Phrases, rng: Random) -> Document:
    """A row of the recommendation survey; its date counts days as Excel does."""
    who = contact.customer
    score = max(0, 2 * int(_score(rng, contact.theme)) - int(rng.random() * 3))
    moment = hour.local_at(contact.second) - _EXCEL_EPOCH
    return [
        f"N-{_unique(contact.serial)}",
        round(moment.days + moment.seconds / 86_400, 9),
        spoken_phone(rng, who.phone) if rng.random() < 0.9 else None,
        score if rng.random() < 0.98 else None,
        _comment(rng, contact, phrases, score, 6) or None,
        who.city.state if rng.random() < 0.9 else None,
    ]


# What a source is


@dataclass(frozen=True)
class Source:
    """One feed of a channel: how it renders a contact, what its files are, and what can go wrong in them."""

    channel: str
    name: str
    kind: Literal["jsonl", "webhook", "json", "csv", "xlsx"]
    stem: str
    suffix: str
    render: Render
    id_at: Path
    time_at: Path
    bad_time: str
    faults: tuple[Fault, ...]
    is_hourly: bool = False
    columns: Sequence[str] = ()
    encoding: str = "utf-8"
    newline: str = "\n"
    rows_per_file: int = 10_000
    again: Callable[[Document, int], Document] | None = None
    repost: Callable[[Document, Document], None] | None = None
    edit: Callable[[Hour, int, Contact, Document, str], Document] | None = None

    @property
    def key(self) -> str:
        """``channel/source``."""
        return f"{self.channel}/{self.name}"

    @property
    def slot_seconds(self) -> int:
        """Length of a slot."""
        return 3600 if self.is_hourly else 86_400


_LINE: tuple[Fault, ...] = ("cut", "cut", "no id", "no time", "bad time")
_ROW: tuple[Fault, ...] = ("columns", "columns", "no id", "no time", "bad time")

SOURCES = (
    Source(
        "social", "x", "jsonl", "posts", "jsonl", x_post,
        ("data", "edit_history_tweet_ids"), ("data", "created_at"), "2026-13-45T99:00:00.000Z",
        _LINE, is_hourly=True, repost=x_repost, edit=x_edit,
    ),
    Source(
        "social", "mastodon", "jsonl", "statuses", "jsonl", toot,
        ("id",), ("created_at",), "2026-02-30T10:00:00.000Z",
        _LINE, is_hourly=True, repost=toot_repost, edit=toot_edit,
    ),
    Source(
        "sms", "gateway", "jsonl", "sms", "jsonl", sms,
        ("messageId",), ("receivedAt",), "0000-00-00 00:00:00",
        _LINE, is_hourly=True,
    ),
    Source(
        "whatsapp", "cloud_api", "webhook", "webhooks", "jsonl", whatsapp,
        ("message", "id"), ("message", "timestamp"), "yesterday",
        _LINE, is_hourly=True,
    ),
    Source(
        "call_centre", "contact_log", "csv", "contact_log", "csv", case,
        (0,), (1,), "31/02/2026 25:61",
        _ROW, columns=LOG_COLUMNS, encoding="cp1252", newline="\r\n", again=case_again,
    ),
    Source(
        "web_form", "website", "csv", "website", "csv", submission,
        (0,), (1,), "2026-02-30T10:00:00+01:00",
        _ROW, columns=WEBSITE_COLUMNS,
    ),
    Source(
        "web_form", "app", "json", "app", "json", app_report,
        ("id",), ("created",), "32/13/2026",
        ("no id", "no time", "bad time"),
    ),
    Source(
        "survey", "csat", "csv", "csat", "csv", csat,
        (0,), (1,), "2026-02-30 10:00:00",
        _ROW, columns=CSAT_COLUMNS,
    ),
    Source(
        "survey", "nps", "xlsx", "nps", "xlsx", nps,
        (0,), (1,), "31/02/2026",
        ("columns", "no id", "no time", "bad time"), columns=NPS_COLUMNS, rows_per_file=5000,
    ),
)  # fmt: skip


# From documents to what the files hold

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

WhatsAppParts = tuple[str, str]
Payload = str | list[Any] | WhatsAppParts
"""A record ready to be written: a line, cells, or for WhatsApp a contact and a message."""


def pack(document: Document) -> Payload:
    """``document`` ready to be written."""
    if isinstance(document, list):
        return document
    if "contact" in document:
        return to_json(document["contact"]), to_json(document["message"])
    return to_json(document)


def webhook(value: str) -> str:
    """A webhook body around the inside of its ``value`` object."""
    return (
        '{"object":"whatsapp_business_account","entry":[{"id":"104857600","changes":[{"field":"messages","value":'
        '{"messaging_product":"whatsapp","metadata":{"display_phone_number":"2348300000300",'
        f'"phone_number_id":"209715200"}},{value}}}}}]}}]}}'
    )


def conversation(parts: Sequence[WhatsAppParts]) -> str:
    """The webhook body that carries these contacts and messages."""
    contacts = ",".join(dict.fromkeys(contact for contact, _ in parts))
    return webhook(f'"contacts":[{contacts}],"messages":[{",".join(message for _, message in parts)}]')


def spoil(source: Source, document: Document, rng: Random) -> Payload:
    """``document`` as a record that nobody can read; by the name of the fault in ``source.faults``."""
    fault = rng.choice(source.faults)
    if fault == "columns":
        # A workbook's short row only lacks values; a wide one cannot be told apart.
        return [*document, "", "stray"] if source.kind == "xlsx" else document[:-2]
    if fault == "no id":
        _put(document, source.id_at, None)
    elif fault == "no time":
        _put(document, source.time_at, None)
    elif fault == "bad time":
        _put(document, source.time_at, source.bad_time)
    payload = pack(document)
    if isinstance(payload, tuple):
        payload = conversation([payload])
    if fault == "cut":
        return payload[: int(len(payload) * (0.3 + 0.6 * rng.random()))]
    return payload


def _put(document: Document, path: Path, value: Any) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value
