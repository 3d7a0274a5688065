"""Messages to raw objects: every byte is kept, and the order of delivery does not show."""

import io
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.raw import batch
from complaint_assets.logic.raw.batch import as_objects
from complaint_assets.logic.raw.parse import parse

LINE = b'{"text":"%d"}'
bodies = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([b"", b"\n", b"\r", b"a\r\n", b"\xef\xbb\xbf{}", b"{}", b"a\nb", b"\xff"]),
    ),
    max_size=12,
)


@given(bodies, st.booleans(), st.randoms())
def test_every_message_is_found_again_byte_for_byte(
    messages: list[bytes], lines: bool, order: random.Random
) -> None:
    objects = as_objects(messages, lines=lines)
    own = [m for m in messages if not lines or b"\n" in m or m[-1:] == b"\r" or m[:3] == b"\xef\xbb\xbf"]
    left = Counter(objects) - Counter(own)
    assert left.total() == (len(own) < len(messages))
    for data in left:
        assert data.endswith(b"\n")
        assert Counter(data[:-1].split(b"\n")) == Counter(messages) - Counter(own)
    shuffled = messages.copy()
    order.shuffle(shuffled)
    assert as_objects(shuffled, lines=lines) == objects


def test_offset_and_length_of_a_record_are_those_of_its_message() -> None:
    contract = load_contracts()["sms", "gateway"]
    messages = [LINE % n for n in range(3)] + ['{"text":"ẹ̀kọ́"}'.encode()]
    (data,) = as_objects(messages, lines=True)
    entries = list(parse(io.BytesIO(data), contract))
    assert [data[e.byte_offset : e.byte_offset + e.byte_length] for e in entries] == sorted(messages)


def test_what_is_no_single_line_is_an_object_of_its_own() -> None:
    assert as_objects([b'{\n"a":1}', b"{}", b"[]"], lines=True) == [b'{\n"a":1}', b"[]\n{}\n"]
    assert as_objects([b"{}", b"[]"], lines=False) == [b"[]", b"{}"]
    assert as_objects([], lines=True) == []


def test_an_object_has_a_largest_size() -> None:
    messages = [b"%7d" % n + b"x" * (1 << 20) for n in range(40)]
    objects = as_objects(messages, lines=True)
    assert max(map(len, objects)) <= batch.OBJECT_BYTES + (1 << 20) + 8
    assert b"".join(objects) == b"".join(message + b"\n" for message in messages)
