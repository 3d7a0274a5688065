"""Identifiers out of texts: the masking profile ``analytic``, under which texts are stored and analysed.

One pattern, run from left to right, finds addresses, handles and runs of digits; names are found by the words
that introduce them and by what the customer's own record says. A digit run of seven or more is masked
whatever it is; dates, amounts, data volumes and versions are recognised before and stay. Names that nothing
introduces stay too: the strict profile exists for copies that leave production.

Every quantifier that may have to give characters back is bounded or starts only where a word does, so time
grows linearly with the text.
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

import pyarrow as pa

from .identify import normalise_identifier

_PLACEHOLDER = r"\[(?:phone|email|card|id|url|handle|ip|name)\]"

# Names are looked for only behind these words. Months or trades would be names too often to be worth a list.
_TITLES = (
    "Mr|MR|Mrs|MRS|Ms|Miss|Mister|Madam|Dr|DR|Prof|Chief|Alhaji|ALHAJI|Alhaja|ALHAJA|Alh|Hajiya|Mallam|"
    "Engr|Barr|Barrister|Pastor|Rev|Oga|Sir"
)
_NAME_CUE = (
    r"(?:sur|first|last|user)?names?(?:[ ]{0,2}[:=][ ]{0,2}|[ ](?:is|be|na|are)[ ]{1,2})"
    r"|signed[ ]?[:,][ ]?|agent[ ]?:[ ]?"
)
_NOT_NAMES = frozenset(
    """
    a about above account address after again all already also am an and any are as at be because been being
    but by call called can commercial complaint correct customer details did different do does don't dont
    email executive financial for from get give given god going had has have hello help her here hey hi his
    how i i'm i've if in incorrect information inside into is it it's its just know line love madam manager
    marketing me misspelled missing mr mrs my need network no not now number of officer ok okay on operating
    or order our out phone please plenty registered registration same screen service she sir so some spelled
    spelt still support team technology that that's the their there there's they this to under unknown up
    want was we we're well were what when where which while who why will with without wrong you you're your
    """.split()  # noqa: SIM905 (a list of words reads best as words)
)
_LETTERS = r"[^\W\d_](?:\.(?=[ ][^\W\d_])|(?:[^\W\d_]|['’\-.\u0300-\u036f](?=[^\W\d_]))*)"
_NAME_WORDS = rf"{_LETTERS}(?:[ ]{_LETTERS}){{0,3}}"
_NAMES = re.compile(rf"(?<![^\W_])(?P<cue>(?i:{_NAME_CUE})|(?:{_TITLES})\.?[ ])(?P<name>{_NAME_WORDS})")

# Years from 1900 to 2099 and nothing numeric glued to it, so that few numbers can pass for a date.
_DAY_MONTH = r"(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d\d"
_DATE = (
    rf"(?<!\d)(?<!\d[-/.])(?:{_YEAR}[-/.]{_DAY_MONTH}|{_DAY_MONTH}[-/.]{_YEAR}|{_YEAR}[ ]?[-/–][ ]?{_YEAR})"
    r"(?![-/.]?\d)"
)
_GAP = r"[ \u00a0\u200b-\u200d\u2060().\-/\u2010-\u2015]"
_RUN = rf"\d(?:{_GAP}{{0,3}}(?!{_DATE})\d|[oO](?=\d)){{6,}}(?:[ ]?(?:x|ext\.?)[ ]?\d{{1,5}}(?!\w))?"
_NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,9})(?:\.\d{1,2})?(?![\d,]\d|\d)"
_DOMAIN = r"(?:[\w\-]{1,63}\.){1,6}[^\W\d_]{2,24}(?!\w)"
_MAILERS = r"(?i:gmail|yahoo|ymail|hotmail|outlook|icloud)(?!\w)"

# Plain words that cannot begin anything below, as "pin", "otp" and "ada at gmail" can: most of a text.
_WORDS = r"(?<!\w)(?:(?![pPoO])[A-Za-z]+[ ](?=[A-Za-z])(?!at[ ]))+"

_IDENTIFIERS = re.compile(
    rf"""
    (?P<keep>{_PLACEHOLDER} | {_WORDS})
  | (?P<url>(?:https?://|www\.)[^\s\[\]<>"]+ | (?<![\w.@\-]){_DOMAIN}/[^\s\[\]<>"]*)
  | (?P<email>(?<![\w.+%\-])[\w.+%\-]+(?:(?:@|[ ]?[(\[]at[)\]][ ]?){_DOMAIN}|@{_MAILERS}
      |[ ]at[ ]\w{{1,40}}[ ]dot[ ](?:com|net|org|ng|co[ ]dot[ ]\w\w|co)(?!\w)))
  | (?P<handle>(?<![\w.+%\-])@\w+(?:@[\w.\-]*\w)*)
  | (?P<ip>(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){{3}}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)
      | (?<![\w:])[0-9A-Fa-f]{{1,4}}(?::{{1,2}}[0-9A-Fa-f]{{1,4}}){{4,7}}(?![\w:]))
  | (?P<harmless>{_DATE}
      | (?<!\w)(?:₦|£|\$|€|N|NGN[ ]?|GBP[ ]?|USD[ ]?){_NUMBER}
      | (?<![\d\w]){_NUMBER}[ ]?(?i:naira|ngn|pounds|dollars)(?!\w)
      | (?<![\d\w])\d{{1,6}}(?:\.\d{{1,2}})?[ ]?(?i:[kmgt]b|[kmg]bps|%)(?!\w)
      | (?i:(?<!\w)(?:v|ver|version|build|android|ios)[ ]?)\d{{1,5}}(?:\.\d{{1,6}}){{1,4}}(?![\d\w]))
  | (?P<secret>(?<!\w)(?i:pin|otp|password)[ ]?(?:(?i:is|no|number|code)[ ]?)?:?[ ]?\d{{4,6}}(?!\d))
  | (?P<run>(?:\+[ ]?)?\(?[oO]?{_RUN})
  | (?P<mixed>(?<!\w)(?=(?:[A-Za-z]{{0,30}}\d){{6}})(?=\d{{0,30}}[A-Za-z])[A-Za-z0-9]{{7,}}(?!\w))
    """,
    re.VERBOSE,
)
_PHONE_CUE = re.compile(
    r"(?<![^\W_])(?i:call|phone|tel|mobile|gsm|whatsapp|sms|line|msisdn|contact|number|reach)\W*(?:\w+\W+)?$"
)
_ID_CUE = re.compile(
    r"(?<![^\W_])(?i:acc(?:oun)?t|acct|nuban|nin|bvn|imei|imsi|iccid|sim|serial|ref(?:erence)?|ticket|case|id|order)"
    r"(?:\W{1,3}(?i:no|number|is|my|id))?\W{0,3}$"
)
_CUE_WINDOW = 24

# A text without any of these has nothing to mask and is not looked at again.
_WORTH_A_LOOK = re.compile(
    rf"[@\d/]|www|[Nn]ame|NAME|[Ss]igned|SIGNED|[Aa]gent|[(\[]at[)\]]|[ ]dot[ ]|\b(?:{_TITLES})\b"
)


def mask_text(text: str, country: str, known: Iterable[str] = (), brands: Collection[str] = ()) -> str:
    """``text`` with identifiers replaced by placeholders; masking twice changes nothing.

    Placeholders are lower case, as capitals count as shouting in sentiment: [phone] [email] [card] [id] [url]
    [handle] [ip] [name].

    Args:
        country: where numbers without country code are dialled (ISO 3166-1 alpha-2).
        known: what the customer's own record says about them: name, e-mail, phone, address.
        brands: handles to keep, lower case and without @: the company's own.
    """
    known = sorted(set(known), key=lambda value: (-len(value), value))  # whole names before their parts
    if not known and _WORTH_A_LOOK.search(text) is None:
        return text
    # A placeholder can lay open what stood glued to the identifier, so look again until nothing is found.
    # Every round shortens what is not yet a placeholder.
    while (masked := _mask_once(text, country, known, brands)) != text:
        text = masked
    return text


def mask(texts: pa.StringArray, country: str, brands: Collection[str] = ()) -> pa.StringArray:
    """``mask_text`` over an Arrow array; nulls stay null."""
    return pa.array(
        [None if text is None else mask_text(text, country, (), brands) for text in texts.to_pylist()],
        type=pa.string(),
    )


def _mask_once(text: str, country: str, known: list[str], brands: Collection[str]) -> str:
    for value in known:
        text = _mask_known(text, value, country)
    if _WORTH_A_LOOK.search(text) is None:
        return text
    text = _IDENTIFIERS.sub(lambda found: _identifier(found, country, brands), text)
    return _NAMES.sub(_name, text)


def _identifier(found: re.Match[str], country: str, brands: Collection[str]) -> str:
    kind, value = found.lastgroup, found.group()
    if kind in ("url", "email", "ip"):
        return f"[{kind}]"
    if kind == "handle":
        return value if value[1:].casefold() in brands else "[handle]"
    if kind == "secret":
        return re.sub(r"\d+$", "[id]", value)
    if kind == "run":
        before = found.string[max(0, found.start() - _CUE_WINDOW) : found.start()]
        return _digit_run(value, before, country)
    if kind == "mixed":
        return "[id]"
    return value


def _digit_run(value: str, before: str, country: str) -> str:
    """The placeholder for a run of digits. That it is masked is certain, only the kind is a judgement."""
    digits = "".join(str(int(char)) for char in re.sub("[oO]", "0", value) if char.isdigit())
    if value.startswith("+") or (len(digits) <= 13 and not _ID_CUE.search(before) and _dialled(digits, country)):
        return "[phone]"
    if 12 <= len(digits) <= 19 and digits[0] in "23456" and _luhn(digits) and not _ID_CUE.search(before):
        return "[card]"
    if _ID_CUE.search(before) or len(digits) > 15:
        return "[id]"
    shaped = digits.startswith("0") or any(not char.isalnum() for char in value)
    return "[phone]" if shaped or _PHONE_CUE.search(before) else "[id]"


def _dialled(digits: str, country: str) -> bool:
    return normalise_identifier("phone", digits, country) is not None


def _luhn(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1)."""
    doubled = (divmod(2 * int(digit), 10) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(tens + ones for tens, ones in doubled)) % 10 == 0


def _name(found: re.Match[str]) -> str:
    """The words behind a cue, masked as far as they can be a name; the rest stays."""
    words = found["name"].split(" ")
    capital = words[0][0].isupper()
    if not capital and "name" not in found["cue"].casefold():
        return found.group()  # "Mr bean", "agent: please": only "name is" is trusted with lower case
    length = 0
    for word in words[: 3 if capital else 2]:
        if word.casefold() in _NOT_NAMES or word[0].isupper() != capital:
            break
        length += 1
    if length == 0:
        return found.group()
    return found["cue"] + " ".join(["[name]", *words[length:]])


_KNOWN_LIMIT = 200


def _mask_known(text: str, value: str, country: str) -> str:
    """Mask ``value`` in whatever case, and the parts of a name where they are written with a capital.

    Many Nigerian given names are words as well (Grace, Sunday), so a part in lower case is left alone.
    """
    value = " ".join(value.split())
    if not 3 <= len(value) <= _KNOWN_LIMIT:
        return text
    folded = text.casefold()
    is_name = not any(char.isdigit() or char == "@" for char in value)
    if value.casefold() in folded:
        kind = "name" if is_name else _kind_of(value, country)
        text = _known_pattern(value, True).sub(lambda found: found["keep"] or f"[{kind}]", text)
    if is_name:
        for part in (part.strip(".,;") for part in value.split()):
            if len(part) >= 3 and part.casefold() in folded and part.casefold() not in _NOT_NAMES:
                text = _known_pattern(part, False).sub(lambda found: found["keep"] or "[name]", text)
    return text


def _kind_of(value: str, country: str) -> str:
    if "@" in value:
        return "email"
    return "phone" if normalise_identifier("phone", value, country) else "id"


@lru_cache(maxsize=4096)
def _known_pattern(value: str, any_case: bool) -> re.Pattern[str]:
    if any_case:
        wanted = rf"(?i:{re.escape(value)})"
    else:
        wanted = "|".join(sorted({re.escape(value.title()), re.escape(value.upper()), re.escape(value)}))
    return re.compile(rf"(?P<keep>{_PLACEHOLDER})|(?<!\w)(?:{wanted})(?!\w)")
