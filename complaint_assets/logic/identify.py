"""Who and what: keyed pseudonyms, and the normal forms of identifiers and texts that go into them.

Two spellings of one thing must meet in one normal form before they are hashed; a pseudonym cannot be repaired
later. Keys come from the caller. Masking of identifiers inside texts lives in ``mask``.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from functools import lru_cache
from typing import Literal, get_args

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Purpose = Literal["complaint", "author", "content", "surge"]
IdentifierKind = Literal["phone", "email", "handle", "account", "platform_id"]
Identifier = tuple[str, str]
"""Kind and normalised value of what identifies a customer."""

_PSEUDONYM_LENGTH = 26
_MASTER_MINIMUM = 16


class Keys:
    """Pseudonyms under one master secret, with an independent key for every purpose.

    The keys are derived by HKDF-SHA256 (RFC 5869), so that pseudonyms of different purposes cannot be
    compared and leaking one derived key does not reveal the others. A plain hash would not do: all Nigerian
    mobile numbers can be hashed within minutes.
    """

    def __init__(self, master: bytes) -> None:
        """Derive the keys of all purposes from ``master``.

        Raises:
            ValueError: ``master`` is shorter than 16 bytes.
        """
        if len(master) < _MASTER_MINIMUM:
            raise ValueError(f"the master key needs at least {_MASTER_MINIMUM} bytes, it has {len(master)}")
        self._macs = {purpose: _keyed_hash(master, purpose) for purpose in get_args(Purpose)}

    def pseudonym(self, purpose: Purpose, value: str) -> str:
        """26 characters of lower-case base32 (130 bits) that stand for ``value`` within ``purpose``."""
        mac = self._macs[purpose].copy()
        mac.update(value.encode("utf-8", "surrogatepass"))
        return _base32(mac.digest())


def _keyed_hash(master: bytes, purpose: str) -> hmac.HMAC:
    info = f"complaint-assets pseudonym {purpose}".encode()
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(master)
    return hmac.new(key, digestmod=hashlib.sha256)


def _base32(digest: bytes) -> str:
    return base64.b32encode(digest[:20])[:_PSEUDONYM_LENGTH].decode().lower()


def delivery_id(channel: str, source: str, object_sha256: str, byte_offset: int, ordinal: int = 0) -> str:
    """Id of the delivery at ``byte_offset`` of an object; ``ordinal`` counts records that share the bytes.

    The same bytes from two sources are two objects, and their records are deliveries of their own. Not keyed: it
    names a place in the raw lake and holds nothing about a person.
    """
    place = f"{channel}/{source}:{object_sha256}:{byte_offset}:{ordinal}"
    return _base32(hashlib.sha256(place.encode()).digest())


# Soft hyphen, zero-width and direction marks, byte-order mark, and the selectors that only restyle an emoji.
_INVISIBLE = dict.fromkeys(
    code
    for first, last in (
        (0x00AD, 0x00AD),
        (0x061C, 0x061C),
        (0x180E, 0x180E),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0xFE0E, 0xFE0F),
        (0xFEFF, 0xFEFF),
    )
    for code in range(first, last + 1)
)
_IDENTIFIER_LIMIT = 320
_EMAIL = re.compile(r"[^\s@<>,;:\"]{1,64}@[^\s@<>,;:\"]{1,190}\.[^\s@<>,;:\".]{2,63}")
_PHONE = re.compile(r"\+?[\d\s().\-/\u2010-\u2015]{5,40}")


def normalise_identifier(kind: IdentifierKind, value: object, country: str) -> str | None:
    """The one spelling of an identifier, or None if ``value`` is no identifier of that kind.

    phone: E.164, read as dialled in ``country`` (ISO 3166-1 alpha-2). email, handle, account: case, spaces
    and decoration removed. platform_id: exact, because platforms may tell case apart. Numbers are accepted
    because spreadsheets turn identifiers into numbers.
    """
    text = _as_text(value)
    if not text:
        return None
    if kind == "phone":
        return _phone(text, country) if _PHONE.fullmatch(text) else None
    if kind == "email":
        address = text.casefold().removeprefix("mailto:")
        return address if _EMAIL.fullmatch(address) else None
    if kind == "handle":
        handle = text.casefold().lstrip("@")
        return handle if handle and not any(char.isspace() for char in handle) else None
    if kind == "account":
        return "".join(char for char in text.casefold() if char.isalnum()) or None
    return text


def _as_text(value: object) -> str:
    """``value`` as visible text; empty for what cannot be an identifier (missing, NaN, a flag, too long)."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**40 else ""
    if not isinstance(value, str) or len(value) > _IDENTIFIER_LIMIT:
        return ""
    return unicodedata.normalize("NFKC", value.translate(_INVISIBLE)).strip()


@lru_cache(maxsize=65536)
def _phone(number: str, country: str) -> str | None:
    """``number`` in E.164: as dialled in ``country``, else as a full number that lost its plus sign."""
    import phonenumbers  # heavy metadata: loaded only by processes that see a phone number

    digits = "".join(char for char in number if char.isdigit()).removeprefix("00")
    possible = None
    for candidate, region in ((number, country), (f"+{digits}", None)):
        try:
            parsed = phonenumbers.parse(candidate, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        if possible is None and region and phonenumbers.is_possible_number(parsed):
            possible = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    # Numbering plans grow faster than the metadata: a number of possible length still tells people apart.
    return possible


def normalise_text(text: str) -> str:
    """``text`` with everything folded that transport may change: Unicode form, case, white space."""
    if not text.isascii():
        # Composed before folding, so that forms meet, and after, because folding can take them apart again.
        text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).casefold()
        return " ".join(unicodedata.normalize("NFKC", text).split())
    return " ".join(text.casefold().split())


_QUOTED = re.compile(r"(?:https?://|www\.)\S*|(?<!\w)(?:rt )?@\w+(?:@[\w.-]+)?")


class _WordsOnly(dict[int, int | str]):
    """Translation table, filled as characters turn up: letters, marks and digits stay."""

    def __missing__(self, code: int) -> int | str:
        kept: int | str = code if unicodedata.category(chr(code))[0] in "LMN" else " "
        self[code] = kept
        return kept


_WORDS_ONLY = _WordsOnly()


def content_of(text: str) -> str | None:
    """What ``text`` says in its own words, for telling who said the same; None if no words are left.

    Without retweet prefix, addresses, mentions, emoji, ellipsis and punctuation, so that a copy meets its
    original.
    """
    words = _QUOTED.sub(" ", normalise_text(text)).translate(_WORDS_ONLY).split()
    return " ".join(words) or None


_CLUSTER_LENGTH = 48
_REPOST_OF = re.compile(r"rt @\S+ ")


def cluster_words(text: str) -> str | None:
    """What the texts of one content cluster have in common; None for an empty text.

    That is how its own words begin: 48 characters. A repost that a platform cut off meets its original by that
    beginning, on whatever day either arrives, because the answer depends on the text alone. A text without
    words (mentions, addresses, emoji) meets its like by all that it holds. Measured on tweets about British
    operators: 836 of 842 reposts whose original has words meet it, and 11 of 6,751 clusters of originals hold
    texts that go on differently.
    """
    content = content_of(text)
    if content is None:
        return _REPOST_OF.sub("", normalise_text(text), count=1).rstrip(" .\u2026") or None
    return content[:_CLUSTER_LENGTH].rstrip()
