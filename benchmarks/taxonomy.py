"""The rules' matcher against a ``re`` loop per category with equal hits, on one core.

``python -m benchmarks.taxonomy``.

Both give the rules that fire and every span of evidence, for the rules of the categories. Bars: 8 times the loop;
twice the rules in less than 1.3 times the time. The other half are rules of other words of the same shape; as a
second case every rule is given twice, which doubles the evidence too.
"""

import codecs
import re
import statistics
import time
from dataclasses import replace

import pyarrow as pa

from benchmarks.plain_enrichment import folded, searcher
from benchmarks.texts import real
from benchmarks.traffic import complaints
from complaint_assets.logic.enriched.matcher import Matcher, fold
from complaint_assets.logic.enriched.rules import Rule, phrase_pattern
from complaint_assets.taxonomy import load_rules

TEXTS = 20_000
LOOP = 2_000
TURNS = 5


def foreign(rule: Rule) -> Rule:
    """A rule of the same shape whose words are in no language."""
    phrases = [pattern.source for pattern in rule.patterns if pattern.source != pattern.regex]
    return replace(
        rule,
        id=f"{rule.id}_foreign",
        patterns=tuple(phrase_pattern(codecs.encode(phrase, "rot13")) for phrase in phrases),
    )


def main() -> None:
    loaded = load_rules("NG")
    rules = [rule for category in loaded.categories.values() for rule in category.rules]
    sets = {
        "the rules": Matcher(rules),
        "twice: other words": Matcher([*rules, *map(foreign, rules)]),
        "twice: every rule again": Matcher([*rules, *(replace(rule, id=f"{rule.id}_again") for rule in rules)]),
    }
    texts = [text for table in complaints(TEXTS) for text in table["text"].to_pylist()][: TEXTS // 2]
    texts = [*texts, *real()[: TEXTS - len(texts)]]
    lowered = fold(pa.array(texts)).to_pylist()

    class Categories:
        @staticmethod
        def every() -> list[Rule]:
            return rules

    loop = searcher(Categories)  # type: ignore[arg-type]
    alternations = {
        name: re.compile("|".join(p.regex for rule in category.rules for p in rule.patterns), re.ASCII)
        for name, category in loaded.categories.items()
        if category.rules
    }
    patterns = sum(len(rule.patterns) for rule in rules)
    print(f"{patterns} patterns in {len(alternations)} categories, {len(texts):,} texts")
    sample = list(range(0, len(texts), max(1, len(texts) // LOOP)))[:LOOP]
    for row in sample:
        want = loop(folded(texts[row]))
        assert [(hit.start, hit.end, hit.rule) for hit in sets["the rules"].hits(lowered[row])] == want
    print(f"equal rules and spans on {len(sample):,} of them")
    took: dict[str, list[float]] = {name: [] for name in ("re per rule", "re per category", *sets)}
    for turn in range(TURNS):
        some = sample[turn::TURNS]
        begun = time.process_time()
        for row in some:
            loop(folded(texts[row]))
        took["re per rule"].append((time.process_time() - begun) / len(some))
        begun = time.process_time()
        for row in some:
            text = folded(texts[row])
            for regex in alternations.values():
                [found.span() for found in regex.finditer(text)]
        took["re per category"].append((time.process_time() - begun) / len(some))
        for name, matcher in sets.items():
            begun = time.process_time()
            for text in fold(pa.array(texts)).to_pylist():
                matcher.hits(text)
            took[name].append((time.process_time() - begun) / len(texts))
    ours = took["the rules"]
    for name, each in took.items():
        ratio = statistics.median(one / base for one, base in zip(each, ours, strict=True))
        print(f"{name:26} {statistics.median(each) * 1e6:8.1f} us CPU a text   {ratio:6.2f} times the matcher")
    print(
        "re per rule tells what the matcher tells; re per category tells the category and one span at a place only"
    )
    print("bars: at least 8 for the loop, less than 1.3 for twice the rules")


if __name__ == "__main__":
    main()
