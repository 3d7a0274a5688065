"""Small deliveries of every built-in source, written as the sources write them."""

import io
import json
from datetime import datetime
from typing import Any

from openpyxl import Workbook


def jsonl(*documents: Any) -> bytes:
    return "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents).encode()


def x_post(number: int = 1, **data: Any) -> dict[str, Any]:
    post = {
        "id": f"19{number:04}",
        "text": "No network in Lekki since morning @zedmobile, call me on 08031234567 &amp; fix it 😡",
        "created_at": "2026-11-10T06:35:12.000Z",
        "author_id": "7001",
        "lang": "en",
        "edit_history_tweet_ids": [f"19{number:04}"],
        "geo": {"full_name": "Lekki, Lagos"},
    }
    user = {"id": "7001", "username": "ada_o", "name": "Ada Obi", "location": "Lagos"}
    return {"data": {**post, **data}, "includes": {"users": [user]}}


def mastodon_post(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"m{number}",
        "created_at": "2026-11-10T06:40:00.000Z",
        "edited_at": None,
        "content": "<p>Data is <b>slow</b> again<br>in Yaba &amp; Surulere</p><p>Please fix</p>",
        "language": "en",
        "account": {"id": "55", "acct": "tunde@mastodon.example", "display_name": "Tunde Bello"},
        "reblog": None,
        "visibility": "public",
        **fields,
    }


def sms_message(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "messageId": f"s{number}",
        "from": "+2348031234567",
        "to": "300",
        "text": "My airtime vanished",
        "receivedAt": "2026-11-10 07:35:12",
        "network": "zed",
        "smsCount": 1,
        **fields,
    }


def whatsapp_body(*texts: str, **value: Any) -> dict[str, Any]:
    messages = [
        {
            "from": "2348031234567",
            "id": f"wamid.{number}",
            "timestamp": "1794290112",
            "type": "text",
            "text": {"body": text},
        }
        for number, text in enumerate(texts)
    ]
    inner = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "2347000000300", "phone_number_id": "1"},
        "contacts": [{"profile": {"name": "Ngozi Eze"}, "wa_id": "2348031234567"}],
        "messages": messages,
        **value,
    }
    change = {"field": "messages", "value": {key: held for key, held in inner.items() if held is not None}}
    return {"object": "whatsapp_business_account", "entry": [{"id": "e1", "changes": [change]}]}


CONTACT_LOG = (
    "Zed Mobile contact centre\r\n"
    '"Export of 10/11/2026, all teams"\r\n'
    "\r\n"
    "Generated nightly\r\n"
    "Case ID,Opened,Closed,Agent,Caller Number,Customer Name,Account No,Category,Sub Category,Notes,"
    "State,City,Status,Rating\r\n"
    "C1,10/11/2026 14:35,10/11/2026 16:00,Joy,08031234567,Chinedu Okafor,A-1,Billing,Refund,"
    '"Mr Okafor was billed twice\r\nwants £5 back, says ""now""",Lagos,Ikeja,Resolved,2\r\n'
    'C2,10/11/2026 14:40,N/A,Joy,-,,A-2,Network,,No signal at 5" café,Lagos,Ikeja,Escalated,\r\n'
    "C3,31/02/2026 14:40,,Joy,,,,Network,,x,,,Open,\r\n"
    "C4,10/11/2026 15:00,,Joy\r\n"
    "C5,10/11/2026 15:10,09/11/2026 10:00,Joy,,,,Network,,Slow,,,Closed,9\r\n"
).encode("cp1252")

WEBSITE = (
    b"submission_id,submitted_at,name,email,phone,topic,message,state,city,latitude,longitude,page\n"
    b"w1,2026-11-10T14:35:12+01:00,Bisi Ade,Bisi@Example.com,NA,Internet,"
    b'"Slow, very slow",Oyo,Ibadan,7.38,3.94,/h\n'
    b"w2,2026-11-10T14:36:12+01:00,,,08031234567,Internet,Down,NA,,-1,-1,/h\n"
    b"w3,2026-11-10T14:37:12+01:00,,,,Internet,Down,,,97.1,3.9,/h\n"
)

APP = json.dumps(
    [
        {
            "id": "a1",
            "created": 1794290112000,
            "email": "a@example.com",
            "msisdn": None,
            "subject": "Recharge",
            "body": "Card failed",
            "device": "android",
            "app_version": "4.2",
            "location": {"lat": 6.45, "lon": 3.39},
            "rating": 1,
        },
        {"id": "a2", "created": 1794290113000, "email": None, "msisdn": "2348031234567", "location": None},
    ],
    indent=1,
).encode()

CSAT = (
    b"response_id,completed_at,msisdn,score,comment,contact_channel,state\n"
    b"r1,2026-11-10 14:35:12,08031234567,1,Nobody helped,call_centre,Lagos\n"
    b"r2,2026-11-10 14:36:12,08031234568,5,,sms,\n"
)

NPS_HEADER = (
    "Response ID",
    "Date",
    "Phone",
    "How likely are you to recommend us? (0-10)",
    "Why?",
    "Region",
)


def workbook(*rows: tuple[Any, ...], sheet: str = "Responses") -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for row in rows:
        page.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def nps() -> bytes:
    return workbook(
        ("Recommendation survey",),
        ("All regions",),
        NPS_HEADER,
        ("n1", datetime(2026, 11, 10, 14, 35, 12), 8031234567, 0, "Network", "South West"),  # noqa: DTZ001
        (None, None, None, None, None, None),
        ("n2", datetime(2026, 11, 10, 14, 36), "2348031234568", 10, None, "North"),  # noqa: DTZ001
    )


SAMPLES: dict[tuple[str, str], bytes] = {
    ("social", "x"): jsonl(
        x_post(1),
        x_post(2, edit_history_tweet_ids=["190001", "190002"], text="No network in Lekki since yesterday"),
        x_post(3, text="RT @ada_o: No netw…", referenced_tweets=[{"type": "retweeted", "id": "190001"}]),
    ),
    ("social", "mastodon"): jsonl(
        mastodon_post(1),
        mastodon_post(1, edited_at="2026-11-10T06:50:00.000Z"),
        mastodon_post(
            2,
            content="",
            reblog={"id": "m1", "account": {"acct": "tunde@mastodon.example"}, "content": "Slow"},
        ),
    ),
    ("sms", "gateway"): jsonl(sms_message(1), sms_message(2, **{"from": "08031234567"}, text="Hello 😡")),
    ("whatsapp", "cloud_api"): jsonl(
        whatsapp_body("No data", "Ngozi again: still no data"),
        whatsapp_body(messages=None, statuses=[{"id": "wamid.0", "status": "read"}]),
    ),
    ("call_centre", "contact_log"): CONTACT_LOG,
    ("web_form", "website"): WEBSITE,
    ("web_form", "app"): APP,
    ("survey", "csat"): CSAT,
    ("survey", "nps"): nps(),
}
