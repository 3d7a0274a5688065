"""By what a person is recognised, and whose records are passed over."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.contract import Contract
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.privacy.erasure import Erased, Mark, Markers, mentioned
from complaint_assets.logic.raw.parse import parse
from complaint_assets.logic.standardised.standardise import Origin, Standardising, standardise
from complaint_assets.vocabulary import load_masker

PHONE = Markers([Mark("phone", "+2348031234567")])
EMAIL = Markers([Mark("email", "ada.obi@mail.ng")])
HANDLE = Markers([Mark("handle", "sunday", "social/x")])
ACCOUNT = Markers([Mark("account", "ac12345678", "call_centre/contact_log")])


@pytest.mark.parametrize(
    ("markers", "text"),
    [
        *(
            (PHONE, text)
            for text in (
                "+2348031234567",
                "2348031234567",
                "002348031234567",
                "08031234567",
                "8031234567",
                "+234 803 123 4567",
                "+234 (0) 803-123-4567",
                "0803.123.4567",
                "O8O31234567",
                "0803\u00a0123\u20114567",
                "call08031234567now",
            )
        ),
        (EMAIL, "ada.obi@mail.ng"),
        (EMAIL, "Ada.Obi@Mail.NG"),
        (EMAIL, "<ada.obi@mail.ng>"),
        (EMAIL, "ada.obi%40mail.ng"),
        (EMAIL, "ada.obi at mail dot ng"),
        (EMAIL, "ada.obi (at) mail.ng"),
        (HANDLE, "thanks @Sunday!"),
        (ACCOUNT, "AC-1234-5678"),
        (ACCOUNT, "ac12345678"),
    ],
)
def test_an_identifier_is_recognised_however_it_is_written(markers: Markers, text: str) -> None:
    data = f"x {text} y".encode()
    assert markers.count(data) == 1
    assert markers.count(markers.redact(data)) == 0
    assert len(markers.redact(data)) == len(data)


@pytest.mark.parametrize(
    ("markers", "text"),
    [
        (PHONE, "12348031234567"),
        (PHONE, "080312345678"),
        (PHONE, "0803123456"),
        (PHONE, "+2348031234568"),
        (EMAIL, "nada.obi@mail.ng"),
        (EMAIL, "ada.obi@mail.ngo"),
        (HANDLE, "see you on sunday"),
        (HANDLE, "@sundaymorning"),
        (HANDLE, "me@sunday"),
        (ACCOUNT, "xac12345678"),
        (Markers(()), "anything"),
    ],
)
def test_what_only_resembles_an_identifier_is_let_be(markers: Markers, text: str) -> None:
    assert markers.count(text.encode()) == 0
    assert markers.redact(text.encode()) == text.encode()


def test_what_json_escapes_is_recognised() -> None:
    markers = Markers([Mark("handle", "adé_obi1", "social/x")])
    assert markers.count(json.dumps("adé_obi1").encode()) == 1
    assert markers.count("adé_obi1".encode()) == 1


CONTRACTS = load_contracts()
ERASED_AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def erased(kind: Any, value: str, scope: str = "") -> Erased:
    return Erased(lambda text: f"hash of {text}", {f"hash of {Mark(kind, value, scope).identity}": ERASED_AT})


def read(key: tuple[str, str], records: list[dict[str, Any]], received: datetime, who: Erased) -> Standardising:
    by: Contract = CONTRACTS[key]
    content = "".join(json.dumps(record) + "\n" for record in records).encode()
    origin = Origin(by.channel, by.source, "2026-11-10", "a" * 64, received)
    keys = Keys(b"a key for tests, 32 bytes long..")
    masker = load_masker("analytic", "NG")
    return standardise(
        parse(io.BytesIO(content), by), by, origin, keys, "NG", date(2013, 1, 1), masker, erased=who
    )


def sms(number: str, sender: str, at: str = "2026-11-10 12:30:00") -> dict[str, Any]:
    return {"messageId": number, "receivedAt": at, "from": sender, "text": "no network", "to": "1"}


SMS = ("sms", "gateway")


def test_records_of_an_erased_person_are_in_no_table_and_not_counted() -> None:
    records = [sms("1", "0803 123 4567"), sms("2", "08059876543"), sms("3", "+2348031234567")]
    found = read(SMS, records, ERASED_AT - HOUR, erased("phone", "+2348031234567"))
    assert found.deliveries["source_record_id"].to_pylist() == ["2"]
    assert found.records_in == 1
    assert len(found.erased) == 2


def test_a_record_of_an_erased_person_that_cannot_be_read_is_passed_over_too() -> None:
    found = read(SMS, [sms("1", "08031234567", at="no time")], ERASED_AT, erased("phone", "+2348031234567"))
    assert (found.records_in, len(found.erased)) == (0, 1)


@pytest.mark.parametrize(("at", "gone"), [("2026-11-10 12:59:00", True), ("2026-11-10 13:01:00", False)])
def test_what_arrives_later_goes_only_if_it_happened_before_the_erasure(at: str, gone: bool) -> None:
    """Times of the source are in Lagos, an hour ahead of UTC."""
    found = read(SMS, [sms("1", "08031234567", at)], ERASED_AT + 2 * HOUR, erased("phone", "+2348031234567"))
    assert len(found.erased) == gone


def test_a_handle_is_erased_in_its_own_source_only() -> None:
    post = {"id": "1", "created_at": "2026-11-10T10:00:00Z", "content": "no network", "account": {"acct": "ada"}}
    key = ("social", "mastodon")
    assert len(read(key, [post], ERASED_AT, erased("handle", "ada", "social/mastodon")).erased) == 1
    assert len(read(key, [post], ERASED_AT, erased("handle", "ada", "social/x")).erased) == 0


def test_nobody_is_passed_over_where_nobody_was_erased() -> None:
    found = read(SMS, [sms("1", "08031234567")], ERASED_AT, Erased(str, {}))
    assert (found.records_in, found.erased) == (1, {})


def test_people_whom_others_mention_are_found_by_their_hashes() -> None:
    who = erased("phone", "+2348031234567")
    assert mentioned("ring 0803-123 4567, not 08059876543", who, "NG") == {Mark("phone", "+2348031234567")}
    mail = erased("email", "ada.obi@mail.ng")
    assert mentioned("write to <Ada.Obi@mail.ng> please", mail, "NG") == {Mark("email", "ada.obi@mail.ng")}
    assert mentioned("write to me", mail, "NG") == set()
