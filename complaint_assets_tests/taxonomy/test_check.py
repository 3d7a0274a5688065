"""The built-in rules keep what they promise, and ``taxonomy check`` finds what is wrong with others."""

import json
import shutil
from pathlib import Path

import pytest

from complaint_assets.taxonomy import BUILT_IN, TaxonomyError, compile_rules, load_rules
from complaint_assets.taxonomy.check import ERRORS, Finding, check
from complaint_assets_tests.conftest import Home


def changed(folder: Path, old: str, new: str, file: str = "taxonomy.yaml") -> list[Finding]:
    """Findings about the built-in rules with ``old`` replaced by ``new``."""
    shutil.copytree(BUILT_IN, folder, dirs_exist_ok=True)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return check(compile_rules(folder, "NG"))


def test_every_built_in_rule_fires_in_its_examples_and_nothing_is_missing() -> None:
    rules = load_rules("NG")
    findings = check(rules)
    assert not [finding for finding in findings if finding.kind not in ("overlap", "redundant")]
    assert all(rule.examples for rule in rules.every())
    figures = rules.figures()
    assert figures["categories"] >= 12
    assert figures["category_patterns"] >= 300


def test_a_rule_that_does_not_do_what_its_examples_say_is_found(tmp_path: Path) -> None:
    rule = "      - id: sim_word\n"
    silent = changed(tmp_path / "a", rule, "      - {id: odd, any: [zebra], examples: [A horse]}\n" + rule)
    assert Finding("dead", "sim_porting.odd", "does not fire in its example: a horse") in silent
    loud = changed(tmp_path / "b", rule, "      - {id: odd, any: [zebra], counter_examples: [A zebra]}\n" + rule)
    kinds = {finding.kind for finding in loud if finding.rule == "sim_porting.odd"}
    assert kinds == {"counter_example", "untested"}
    assert "counter_example" in ERRORS


def test_shadowed_overlapping_and_redundant_phrases_and_missing_codes_are_found(tmp_path: Path) -> None:
    rule = "      - id: sim_word\n"
    entry = "      - {id: odd, weight: 1, any: [no network at all, zebra|lion, zebra], examples: [zebra]}\n"
    found = changed(tmp_path / "a", rule, entry + rule)
    mine = {(f.kind, f.what) for f in found if f.rule == "sim_porting.odd"}
    assert ("shadowed", "no network at all: always outweighed by network") in mine
    assert ("redundant", "zebra: zebra|lion finds the same") in mine
    assert "sim_porting.odd" in {
        name for f in found if f.kind == "overlap" for name in (f.rule, f.what.split()[0])
    }
    coded = changed(tmp_path / "b", "fcc: speed", "other: speed")
    assert Finding("missing_code", "internet_speed", "has no code of fcc") in coded


def test_rules_that_fire_in_none_of_the_texts_given_are_dead() -> None:
    dead = {finding.rule for finding in check(load_rules("NG"), ["There is no network"]) if finding.kind == "dead"}
    assert "fraud.sim_swap" in dead
    assert "network.outage" not in dead


def test_every_unusable_pattern_of_a_rule_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError) as refused:
        changed(tmp_path, "any: [sim, sims, sim card, nin]", "any: ['..']\n        regex: ['(a+)+', 'b*']")
    assert str(refused.value).count("sim_porting.sim_word") == 3


def test_the_command_fails_for_unusable_rules_and_says_which(home: Home, tmp_path: Path) -> None:
    changed(tmp_path, 'examples: ["a question about my sim card"]', 'examples: ["a question about my horse"]')
    done = home.call("taxonomy", "check", tmp_path, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)[0]
    assert told["dead"] == 1
    assert [finding["rule"] for finding in told["findings"] if finding["kind"] == "dead"] == [
        "sim_porting.sim_word"
    ]
    assert home.call("taxonomy", "check", tmp_path / "absent").returncode == 2
    (tmp_path / "taxonomy.yaml").write_text("version: 1\n", encoding="utf-8")
    broken = home.call("taxonomy", "check", tmp_path)
    assert (broken.returncode, "taxonomy.yaml" in broken.stderr) == (1, True)
    assert home.complaints("taxonomy", "check")[0]["categories"] >= 12


def test_the_rule_that_the_guide_teaches_works(tmp_path: Path) -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "taxonomy.md").read_text(encoding="utf-8")
    taught = guide.partition("```yaml\n")[2].partition("```")[0]
    first = '      - id: faulty\n        examples: ["The router'
    found = changed(tmp_path, first, taught + first)
    assert not [finding for finding in found if finding.rule == "device.homehub_lamp"]
