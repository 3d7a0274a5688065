"""Makes the shipped word lists again: ``python -m complaint_assets.vocabulary.build --scowl FOLDER``.

English words come from SCOWL (Debian package ``scowl``, folder ``/usr/share/dict/scowl``), names from Faker
(``pip install faker``); neither is needed to run the product. See ``LICENCES.txt`` for what both allow.
"""

import argparse
import gzip
import importlib
import pkgutil
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from complaint_assets.logic.privacy.mask_strict import words_of

FOLDER = Path(__file__).parent
LEVELS = (10, 20, 35, 40, 50, 55, 60)
"""Sizes of SCOWL that are taken: up to what spelling checkers call large; beyond lie rarities and surnames."""
KINDS = ("english-words", "american-words", "british-words", "english-contractions", "american-abbreviations")
COMMON = 35
"""Up to this size a word that is also a name is believed in lower case."""
# The locales of Faker that are written in Latin letters; elsewhere a name is no word of ours anyway.
ENGLISH_NAMES = ("en", "en_US", "en_GB", "en_IE", "en_IN", "en_NZ", "en_KE", "en_NG", "ha_NG", "ig_NG", "yo_NG")


def scowl(folder: Path) -> dict[str, int]:
    """Word in lower case -> the smallest size of SCOWL that holds it."""
    found: dict[str, int] = {}
    for level in LEVELS:
        for kind in KINDS:
            path = folder / f"{kind}.{level}"
            if path.exists():
                for line in path.read_text(encoding="iso-8859-1").split():
                    found.setdefault(line.casefold(), level)
    return found


def names() -> dict[str, bool]:
    """First and last names in lower case -> whether English or Nigerian locales have them."""
    from faker.providers import person

    found: dict[str, bool] = {}
    for module in pkgutil.iter_modules(person.__path__):
        provider = importlib.import_module(f"{person.__name__}.{module.name}").Provider
        for attribute in dir(provider):
            if "name" in attribute and "format" not in attribute:
                for name in _strings(getattr(provider, attribute)):
                    for word in words_of(plain(name)):
                        if len(word) > 1:
                            found[word] = found.get(word, False) or module.name in ENGLISH_NAMES
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (key for key in value if isinstance(key, str))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)


def plain(word: str) -> str:
    """``word`` in lower case and without accents, as customers type names."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))


def vader() -> set[str]:
    """The words that VADER weighs."""
    from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SentimentIntensityAnalyzer

    known = {*SentimentIntensityAnalyzer().lexicon, *BOOSTER_DICT, *NEGATE}
    return {word for entry in known for word in words_of(entry.casefold())}


def write(path: Path, words: Iterable[str]) -> None:
    """One word a line, sorted; equal words give equal bytes."""
    content = "".join(f"{word}\n" for word in sorted(words)).encode()
    path.write_bytes(gzip.compress(content, mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scowl", type=Path, default=Path("/usr/share/dict/scowl"))
    folder = parser.parse_args().scowl
    levels, known_as_names, weighed = scowl(folder), names(), vader()
    certain = {word for word in levels if word not in known_as_names} | weighed
    doubtful = {word for word, level in levels.items() if level <= COMMON and word not in certain}
    write(FOLDER / "en.txt.gz", certain | {f"~{word}" for word in doubtful})
    write(FOLDER / "names.txt.gz", known_as_names)


if __name__ == "__main__":
    main()
