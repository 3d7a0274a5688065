"""What masking knows as data: cues of names, and the approved words of the strict profile with their loader.

``en.txt.gz`` and ``names.txt.gz`` are made by ``build``; ``words.yaml`` and ``names.yaml`` are written by hand.
"""

import gzip
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from complaint_assets.logic.enriched.place import gazetteer
from complaint_assets.logic.privacy.mask import Masker
from complaint_assets.logic.privacy.mask_names import Cues, compile_cues
from complaint_assets.logic.privacy.mask_strict import Vocabulary, words_of
from complaint_assets.taxonomy import load_rules

BUILT_IN = Path(__file__).parent
TAXONOMY = BUILT_IN.parent / "taxonomy"
_NAME_MARK = "~"
"""Before a word of a list that is a name too: shown in lower case only."""


class VocabularyError(ValueError):
    """A word list cannot be read; the message names the file and what is allowed there."""


def load_masker(
    profile: Literal["analytic", "strict"],
    country: str,
    brands: Iterable[str] = (),
    folders: Sequence[Path] = (),
) -> Masker:
    """The masker of ``profile``; ``folders`` hold more approved words, ``*.txt`` or ``*.txt.gz``, one a line.

    Raises:
        VocabularyError: a folder is missing or a list cannot be read.
    """
    return _masker(profile, country, frozenset(brand.casefold().lstrip("@") for brand in brands), tuple(folders))


def masking_version(
    profile: Literal["analytic", "strict"], country: str, brands: Iterable[str] = (), folders: Sequence[Path] = ()
) -> str:
    """The profile, and a hash of all files and settings that decide what ``load_masker`` masks; loads none."""
    files = [BUILT_IN / "names.yaml"]
    if profile == "strict":
        files += [BUILT_IN / name for name in ("words.yaml", "en.txt.gz", "names.txt.gz")]
        files += sorted(TAXONOMY.glob("*.yaml"))
        files += [file for folder in folders for file in _lists(folder)]
    told = hashlib.sha256("\n".join((country, *sorted(brands))).encode())
    for file in files:
        told.update(hashlib.sha256(file.read_bytes()).digest())
    return f"{profile}-{told.hexdigest()[:8]}"


@cache
def _masker(profile: str, country: str, brands: frozenset[str], folders: tuple[Path, ...]) -> Masker:
    vocabulary = load_vocabulary(country, folders) if profile == "strict" else None
    return Masker(country, load_cues(), brands, vocabulary)


@cache
def load_cues() -> Cues:
    """The cues of every language."""
    lists: dict[str, list[str]] = defaultdict(list)
    for language in yaml.safe_load((BUILT_IN / "names.yaml").read_text(encoding="utf-8")).values():
        for name, entries in language.items():
            lists[name] += entries.split() if isinstance(entries, str) else entries
    return compile_cues(lists["sayings"], lists["openings"], lists["titles"], lists["not_names"])


@cache
def load_vocabulary(country: str, folders: tuple[Path, ...] = ()) -> Vocabulary:
    """Approved words: dictionary, our own list, taxonomy, place names, and the lists in ``folders``."""
    own = yaml.safe_load((BUILT_IN / "words.yaml").read_text(encoding="utf-8"))
    version = own.pop("version")
    files = [BUILT_IN / "en.txt.gz"]
    for folder in folders:
        if not folder.is_dir():
            raise VocabularyError(f"{folder}: no such folder; correct COMPLAINTS_VOCABULARY")
        files += _lists(folder)
    listed = [line for file in files for line in _lines(file)]
    words = {word for word in listed if not word.startswith(_NAME_MARK)}
    words.update(word for text in own.values() for word in text.split())
    words |= _taxonomy_words()
    lower = {word.removeprefix(_NAME_MARK) for word in listed} - words
    names = load_names()
    phrases: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    places = gazetteer(load_rules(country).places)
    for place in places.names:
        first, *rest = place.split()
        if rest:
            phrases[first].add(tuple(rest))
        elif place in places.spoken or place not in names:
            words.add(place)
    content = hashlib.sha256("\n".join((*sorted(words), "", *sorted(lower))).encode()).hexdigest()
    return Vocabulary(f"{version}+{content[:8]}", frozenset(words), frozenset(lower), dict(phrases))


@cache
def load_names() -> frozenset[str]:
    """Names of people, in lower case and without accents."""
    return frozenset(_lines(BUILT_IN / "names.txt.gz"))


def _taxonomy_words() -> set[str]:
    """Every word that a rule can look for; names of places stand in a file of their own."""
    texts = (path.read_text(encoding="utf-8") for path in TAXONOMY.glob("*.yaml") if "places" not in path.name)
    return {word for text in texts for word in words_of(re.sub(r"#.*", "", text).casefold())}


def _lists(folder: Path) -> list[Path]:
    return sorted((*folder.glob("*.txt"), *folder.glob("*.txt.gz")))


def _lines(file: Path) -> list[str]:
    try:
        content = file.read_bytes()
        text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise VocabularyError(f"{file}: not readable as words in UTF-8, one a line: {error}") from error
    return [word for line in text.splitlines() if (word := line.strip().casefold()) and word[0] != "#"]
