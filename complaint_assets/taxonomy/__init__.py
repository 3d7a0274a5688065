"""The rules as data, and their compiler: YAML files in, one ``Rules`` object out.

Meaning lives in the YAML files, which are written to be read by people who do not program. What belongs here
is reading, checking and compiling them; how rules are applied lives in ``complaint_assets.logic``.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from complaint_assets.logic.enriched.rules import (
    OTHER,
    Category,
    Label,
    Pattern,
    Places,
    Rule,
    Rules,
    Severity,
    phrase_pattern,
    regex_pattern,
)
from resources.yaml_file import UnfitFile, read_yaml

from .active import active_version, folder_of

BUILT_IN = Path(__file__).parent
LABEL_WEIGHT = 2.0
"""How strongly the source's own label speaks for a category, beside the weights of the text's rules."""


class TaxonomyError(UnfitFile):
    """A rule file is wrong; the message names the file, the rule and what is allowed there."""


def load_rules(country: str = "NG", home: Path | None = None) -> Rules:
    """The rules for ``country`` (ISO 3166-1 alpha-2), compiled once per process.

    Args:
        country: which places and post codes count.
        home: the folder that says which rules are active (``taxonomy.active``); None = the built-in ones.

    Raises:
        TaxonomyError: the active rules are missing, or are not those that were applied.
    """
    version = active_version(home) if home else None
    if home is None or version is None:
        return _compiled(BUILT_IN, country)
    rules = _compiled(folder_of(home, version), country)
    if rules.version != version:
        raise TaxonomyError(
            f"{folder_of(home, version)}: these are not the rules that were applied; put them back from a backup, "
            "or go back: complaints taxonomy rollback"
        )
    return rules


@cache
def _compiled(folder: Path, country: str) -> Rules:
    return compile_rules(folder, country)


def rule_files(folder: Path, country: str) -> dict[str, Path]:
    """The rule files in ``folder``, by what they hold."""
    files = {name: folder / f"{name}.yaml" for name in ("taxonomy", "classes", "severity", "language")}
    places = folder / f"places_{country.lower()}.yaml"
    return files | ({"places": places} if places.exists() else {})


def compile_rules(folder: Path, country: str) -> Rules:
    """The rules in the files of ``folder``, checked and compiled.

    The version is that of ``taxonomy.yaml`` with a digest of all files as build metadata (``1.0.0+9f3c2a10``):
    no change of a rule goes unnoticed.

    Raises:
        TaxonomyError: a file is missing, unreadable, breaks the schema, or contradicts itself or another.
    """
    files = rule_files(folder, country)
    places_file = folder / f"places_{country.lower()}.yaml"
    content, data = hashlib.sha256(), {}
    for name, file in sorted(files.items()):
        data[name] = read_yaml(file, BUILT_IN / "rules.schema.json", TaxonomyError, name)
        content.update(f"{name}\n{file.read_text(encoding='utf-8')}".encode())

    taxonomy, severity = data["taxonomy"], data["severity"]
    categories = _categories(files, taxonomy, severity)
    return Rules(
        version=f"{taxonomy['version']}+{content.hexdigest()[:8]}",
        categories=categories,
        labels=tuple(_labels(files["taxonomy"], taxonomy["labels"], categories)),
        classes={
            name: tuple(_rules(files["classes"], rules, f"class.{name}"))
            for name, rules in data["classes"].items()
        },
        severity=Severity(
            cues=tuple(_rules(files["severity"], severity["cues"], "cue")),
            sentiment=_thresholds(severity["sentiment"]),
            rating=_thresholds(severity["rating"]),
            repeat=severity["repeat"],
            classes=severity["classes"],
        ),
        places=_places(places_file, data.get("places", {"country": country, "regions": {}}), country),
        english=frozenset(data["language"]["english"].split()),
        pidgin=frozenset(data["language"]["pidgin"].split()),
    )


def _categories(files: Mapping[str, Path], taxonomy: Any, severity: Any) -> dict[str, Category]:
    file, given = files["taxonomy"], taxonomy["categories"]
    domain_of: dict[str, str] = {}
    for domain, names in taxonomy["domains"].items():
        for name in names:
            if name in domain_of:
                raise TaxonomyError(f"{file}: domains: {name} stands in both {domain_of[name]} and {domain}")
            domain_of[name] = domain
    if OTHER not in given:
        raise TaxonomyError(f"{file}: categories: {OTHER} is missing; it takes what no rule recognises")
    for others, place in (
        (set(domain_of), f"{file}: domains"),
        (set(severity["base"]), f"{files['severity']}: base"),
    ):
        if others != set(given):
            odd = ", ".join(sorted(others ^ set(given)))
            raise TaxonomyError(f"{place}: must name each category of {file.name} once; at odds: {odd}")
    categories = {}
    for name, entry in given.items():
        rules = tuple(_rules(file, entry.get("rules", ()), name))
        subcategories = entry.get("subcategories", {})
        for rule in rules:
            if rule.subcategory is not None and rule.subcategory not in subcategories:
                known = ", ".join(sorted(subcategories)) or "none"
                raise TaxonomyError(
                    f"{file}: {rule.id}: subcategory {rule.subcategory} is not one of the category's: {known}"
                )
        categories[name] = Category(
            name=name,
            domain=domain_of[name],
            fault=entry.get("fault", False),
            severity=severity["base"][name],
            subcategories=subcategories,
            codes=entry.get("codes", {}),
            rules=rules,
        )
    return categories


def _patterns(file: Path, name: str, entry: Any) -> tuple[Pattern, ...]:
    patterns, faults = [], []
    for kind, compiled in (("any", phrase_pattern), ("regex", regex_pattern)):
        for source in entry.get(kind, ()):
            try:
                patterns.append(compiled(source))
            except ValueError as error:
                faults.append(f"{file}: {name}: {source}: {error}")
    if faults:
        raise TaxonomyError("\n".join(faults))
    return tuple(patterns)


def _rules(file: Path, entries: Any, prefix: str) -> Iterator[Rule]:
    seen: set[str] = set()
    for entry in entries:
        name = f"{prefix}.{entry['id']}"
        if name in seen:
            raise TaxonomyError(f"{file}: {name}: there are two rules of this id")
        seen.add(name)
        yield Rule(
            id=name,
            patterns=_patterns(file, name, entry),
            weight=float(entry.get("weight", 1)),
            subcategory=entry.get("subcategory"),
            unless_negated=entry.get("unless_negated", False),
            topic=entry.get("topic", False),
            channels=frozenset(entry.get("channels", ())),
            languages=frozenset(entry.get("languages", ())),
            examples=tuple(entry.get("examples", ())),
            counter_examples=tuple(entry.get("counter_examples", ())),
        )


def _labels(file: Path, entries: Any, categories: Mapping[str, Category]) -> Iterator[Label]:
    for entry in entries:
        name, category = f"label.{entry['id']}", entry.get("category")
        if category is not None and category not in categories:
            raise TaxonomyError(
                f"{file}: {name}: no category {category}; there are {', '.join(sorted(categories))}"
            )
        regex = re.compile("|".join(pattern.regex for pattern in _patterns(file, name, entry)), re.ASCII)
        yield Label(name, regex, category, entry.get("class"), LABEL_WEIGHT)


def _thresholds(entries: Mapping[str, float]) -> tuple[tuple[float, float], ...]:
    return tuple(sorted((float(limit), weight) for limit, weight in entries.items()))


def _places(file: Path, data: Any, country: str) -> Places:
    if data["country"] != country:
        raise TaxonomyError(f"{file}: country: {data['country']} must be {country}, as the file is named")
    foreign = {code for code in (*data["regions"], *data.get("admin1", {}).values()) if code[:2] != country}
    if foreign:
        raise TaxonomyError(f"{file}: {', '.join(sorted(foreign))}: no subdivision of {country}")
    owner: dict[str, str] = {}
    for region, names in data["regions"].items():
        for name in names:
            if owner.setdefault(name, region) != region:
                raise TaxonomyError(f"{file}: {name} stands under both {owner[name]} and {region}")
    return Places(
        country=country,
        regions={region: tuple(names) for region, names in data["regions"].items()},
        cue_only=frozenset(data.get("cue_only", ())),
        admin1=data.get("admin1", {}),
        postcode=data.get("postcode", {}).get("pattern"),
        postcodes=data.get("postcode", {}).get("regions", {}),
    )


__all__ = ["Rules", "TaxonomyError", "compile_rules", "load_rules", "rule_files"]
