"""The one scanner of identifiers: addresses, handles, devices, and runs of digits, wherever they stand in a text.

One pattern runs from left to right. A digit run of seven or more is masked whatever it is; dates, amounts, data
volumes and versions are recognised before and stay. Every repetition is bounded or takes in what it has read for
good, and starts only where a word does, so time grows linearly with the text.
"""

import re
from collections.abc import Collection

from complaint_assets.logic.identify import normalise_identifier

KINDS = ("phone", "email", "card", "id", "url", "handle", "ip", "name", "address", "word", "number")
"""What a placeholder can say it stands for. Lower case, as capitals count as shouting in sentiment."""
PLACEHOLDER = rf"\[(?:{'|'.join(KINDS)})\]"

# Years from 1900 to 2099 and nothing numeric glued to it, so that few numbers can pass for a date.
_DAY_MONTH = r"(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d\d"
_DATE = (
    rf"(?<!\d)(?<!\d[-/.])(?:{_YEAR}[-/.]{_DAY_MONTH}|{_DAY_MONTH}[-/.]{_YEAR}|{_YEAR}[ ]?[-/–][ ]?{_YEAR})"
    r"(?![-/.]?\d)"
)
_GAP = r"[ \u00a0\u200b-\u200d\u2060().\-/\u2010-\u2015]"
_RUN = rf"\d(?:{_GAP}{{0,3}}(?!{_DATE})\d|[oO](?=\d)){{6,}}+(?:[ ]?(?:x|ext\.?)[ ]?\d{{1,5}}(?!\w))?"
_NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,9})(?:\.\d{1,2})?(?![\d,]\d|\d)"
HARMLESS = rf"""
        {_DATE}
      | (?<!\w)(?:₦|£|\$|€|N|NGN[ ]?|GBP[ ]?|USD[ ]?){_NUMBER}
      | (?<![\d\w]){_NUMBER}[ ]?(?i:naira|ngn|pounds|dollars)(?!\w)
      | (?<![\d\w])\d{{1,6}}(?:\.\d{{1,2}})?[ ]?(?i:[kmgt]b|[kmg]bps|%)(?!\w)
      | (?i:(?<!\w)(?:v|ver|version|build|android|ios)[ ]?)\d{{1,5}}(?:\.\d{{1,6}}){{1,4}}(?![\d\w])"""
"""Dates, amounts, data volumes, versions (for a verbose pattern)."""
_DOMAIN = r"(?:[\w\-]{1,63}\.){1,6}[^\W\d_]{2,24}(?!\w)"
_MAILERS = r"(?i:gmail|yahoo|ymail|hotmail|outlook|icloud)(?!\w)"
_LOCAL = r"(?<![\w.+%\-])[\w.+%\-]{1,64}+"

# Words before words, which can neither begin nor continue anything below, as "pin" and "ada at gmail" can:
# most of a text, so they come first; at the end come the letters of any other word.
_WORDS = (
    r"(?<![\w.+%\-@\[])(?:(?![pPoO](?i:in|tp|assword)(?!\w))[^\W\d_]{1,40}+[ ,;!?]{1,8}+(?=[^\W\d_])(?!at[ ]))++"
)

_IDENTIFIERS = re.compile(
    rf"""
    (?P<keep>{PLACEHOLDER} | {_WORDS})
  | (?P<url>(?:https?://|www\.)[^\s\[\]<>"]+ | (?<![\w.@\-]){_DOMAIN}/[^\s\[\]<>"]*)
  | (?P<email>{_LOCAL}(?:(?:[ ]?@[ ]?|[ ]?[(\[]at[)\]][ ]?){_DOMAIN}|@{_MAILERS}
      |[ ]at[ ]\w{{1,40}}[ ](?:dot|\.)[ ](?:com|net|org|ng|co[ ]dot[ ]\w\w|co)(?!\w)))
  | (?P<handle>(?<![\w.+%\-])@\w++(?:@[\w.\-]++)*+)
  | (?P<device>(?<![\w\-:.])[0-9A-Fa-f]{{2}}(?:(?:-[0-9A-Fa-f]{{2}}){{5}}|(?::[0-9A-Fa-f]{{2}}){{5}}
      |[0-9A-Fa-f]{{2}}(?:\.[0-9A-Fa-f]{{4}}){{2}})(?![\w\-:]|\.\d))
  | (?P<ip>(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){{3}}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)
      | (?<![\w:])[0-9A-Fa-f]{{1,4}}(?::{{1,2}}[0-9A-Fa-f]{{1,4}}){{4,7}}(?![\w:])
      | (?<![\w:])[0-9A-Fa-f]{{0,4}}::[0-9A-Fa-f]{{1,4}}(?::[0-9A-Fa-f]{{1,4}}){{0,6}}(?![\w:]))
  | (?P<harmless>{HARMLESS})
  | (?P<secret>(?<!\w)(?i:pin|otp|password)[ ]?(?:(?i:is|no|number|code)[ ]?)?:?[ ]?\d{{4,6}}(?!\d))
  | (?P<iban>(?<!\w)[A-Z]{{2}}\d{{2}}(?:[ ][A-Z0-9]{{4}}){{3,7}}(?:[ ][A-Z0-9]{{1,3}})?(?!\w))
  | (?P<run>(?:\+[ ]?)?\(?[oO]?{_RUN})
  | (?P<mixed>(?<!\w)(?=(?:[A-Za-z]{{0,30}}\d){{6}})(?=\d{{0,30}}[A-Za-z])[A-Za-z0-9]{{7,}}(?!\w))
  | (?P<rest>(?<!\w)[^\W\d_]{{2,}}+(?![.:]))
    """,
    re.VERBOSE,
)
_PHONE_CUE = re.compile(
    r"(?<![^\W_])(?i:call|phone|tel|mobile|gsm|whatsapp|sms|line|msisdn|contact|number|reach)\W{0,3}(?:\w{1,20}\W{1,3})?$"
)
_ID_CUE = re.compile(
    r"(?<![^\W_])(?i:acc(?:oun)?t|acct|nuban|nin|bvn|imei|imsi|iccid|sim|serial|ref(?:erence)?|ticket|case|id|order)"
    r"(?:\W{1,3}(?i:no|number|is|my|id))?\W{0,3}$"
)
_CUE_WINDOW = 24
WORTH_A_SCAN = re.compile(r"[@\d/:]|www|[(\[]at[)\]]|[ ]at[ ]")
"""A text without any of these holds no identifier."""


def mask_identifiers(text: str, country: str, brands: Collection[str]) -> str:
    """``text`` with every identifier replaced by its placeholder.

    Args:
        country: where numbers without country code are dialled (ISO 3166-1 alpha-2).
        brands: handles to keep, lower case and without @: the company's own.
    """
    return _IDENTIFIERS.sub(lambda found: _placeholder(found, country, brands), text)


def _placeholder(found: re.Match[str], country: str, brands: Collection[str]) -> str:
    kind, value = found.lastgroup, found.group()
    if kind in ("keep", "harmless", "rest"):
        return value
    if kind in ("url", "email", "ip"):
        return f"[{kind}]"
    if kind == "handle":
        return value if value[1:].casefold() in brands else "[handle]"
    if kind == "secret":
        return re.sub(r"\d+$", "[id]", value)
    if kind == "run":
        before = found.string[max(0, found.start() - _CUE_WINDOW) : found.start()]
        return _digit_run(value, before, country)
    return "[id]"


def _digit_run(value: str, before: str, country: str) -> str:
    """The placeholder for a run of digits. That it is masked is certain, only the kind is a judgement."""
    digits = "".join(str(int(char)) for char in re.sub("[oO]", "0", value) if char.isdigit())
    if value.startswith("+"):
        return "[phone]"
    named = _ID_CUE.search(before) is not None
    if len(digits) <= 13 and not named and normalise_identifier("phone", digits, country):
        return "[phone]"
    if 12 <= len(digits) <= 19 and digits[0] in "23456" and _luhn(digits) and not named:
        return "[card]"
    if named or len(digits) > 15:
        return "[id]"
    shaped = digits.startswith("0") or any(not char.isalnum() for char in value)
    return "[phone]" if shaped or _PHONE_CUE.search(before) else "[id]"


def _luhn(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1)."""
    doubled = (divmod(2 * int(digit), 10) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(tens + ones for tens, ones in doubled)) % 10 == 0
