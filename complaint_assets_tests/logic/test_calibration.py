"""Agreement is what the textbook says, samples are drawn fairly, and cells do nothing."""

import pytest

from complaint_assets.logic.enriched.calibration import LEAST, calibration, harmless, kappa, stratified, too_low
from complaint_assets.logic.enriched.phrases import terms


def crossed(both_yes: int, left_only: int, right_only: int, neither: int) -> list[tuple[str, str]]:
    return [
        *[("billing", "billing")] * both_yes,
        *[("billing", "network")] * left_only,
        *[("network", "billing")] * right_only,
        *[("network", "network")] * neither,
    ]


def test_kappa_is_agreement_beyond_chance_as_worked_out_by_hand() -> None:
    # 35 of 50 agree: 0.7. By chance 25/50 * 30/50 + 25/50 * 20/50 = 0.5. (0.7 - 0.5) / (1 - 0.5) = 0.4
    assert kappa(crossed(20, 5, 10, 15)) == pytest.approx(0.4)
    # 60 of 100: 0.6. By chance 0.6 * 0.7 + 0.4 * 0.3 = 0.54. 0.06 / 0.46
    assert kappa(crossed(45, 15, 25, 15)) == pytest.approx(0.06 / 0.46)
    assert kappa(crossed(5, 0, 0, 5)) == 1
    assert kappa(crossed(0, 5, 5, 0)) == -1
    assert kappa(crossed(9, 0, 0, 0)) is None, "chance alone agrees always"
    assert kappa([]) is None


def test_two_labellers_and_the_rules_are_compared_each_with_each_and_by_category() -> None:
    # Ada and Bo label 50 complaints as in the table above; the rules say what Ada says, but on her first 5.
    pairs = crossed(20, 5, 10, 15)
    labels = [(f"{n:02}", "Ada", left) for n, (left, _) in enumerate(pairs)]
    labels += [(f"{n:02}", "Bo", right) for n, (_, right) in enumerate(pairs)]
    rules = {f"{n:02}": "network" if n < 5 else left for n, (left, _) in enumerate(pairs)}
    rows = {
        (r["scope"], r["name"]): r for r in calibration([*labels, ("gone", "Bo", "network")], rules, {}, "2", "")
    }
    assert (rows["labellers", "Ada + Bo"]["labels"], rows["labellers", "Ada + Bo"]["kappa"]) == (
        50,
        pytest.approx(0.4),
    )
    # Ada: 25 billing, rules 20 of them: 45 of 50 agree; chance 0.5 * 0.4 + 0.5 * 0.6 = 0.5
    assert rows["labeller", "Ada"]["kappa"] == pytest.approx((0.9 - 0.5) / 0.5)
    # Bo: 30 billing; rules 20 billing of which Bo says 15: agree 15 + 15 = 30 of 50; chance 0.6*0.4 + 0.4*0.6
    assert rows["labeller", "Bo"]["kappa"] == pytest.approx((0.6 - 0.48) / 0.52)
    assert rows["rules", "2"]["labels"] == 100
    assert rows["rules", "2"]["agreement"] == pytest.approx(0.75)
    # Billing: people 25 + 30, rules 20 + 20, both 20 + 15.
    assert rows["category", "billing"]["labels"] == 55
    assert rows["category", "billing"]["precision"] == pytest.approx(35 / 40)
    assert rows["category", "billing"]["recall"] == pytest.approx(35 / 55)


def test_agreement_that_is_low_or_has_dropped_is_told_apart_and_few_labels_judge_nothing() -> None:
    def rows(now: float, before: float, labels: int = LEAST) -> list[dict[str, object]]:
        scopes = {"rules": now, "rules_beside_former": now, "former_rules": before}
        return [{"scope": scope, "labels": labels, "kappa": value} for scope, value in scopes.items()]

    assert too_low(rows(0.7, 0.7), 0.6, 0.05) == (False, False)
    assert too_low(rows(0.59, 0.6), 0.6, 0.05) == (True, False)
    assert too_low(rows(0.7, 0.76), 0.6, 0.05) == (False, True)
    assert too_low(rows(0.1, 0.9, LEAST - 1), 0.6, 0.05) == (False, False)


def test_active_and_former_rules_are_compared_on_the_labels_that_both_answered() -> None:
    labels = [(str(n), "Ada", "network" if n % 2 else "billing") for n in range(10)]
    rules = {str(n): "network" if n % 2 else "billing" for n in range(10)}
    former = {str(n): "network" for n in range(4)}
    rows = {row["scope"]: row for row in calibration(labels, rules, former, "2", "1")}
    assert (rows["former_rules"]["labels"], rows["former_rules"]["agreement"]) == (4, 0.5)
    assert (rows["rules_beside_former"]["labels"], rows["rules_beside_former"]["kappa"]) == (4, 1)
    assert rows["rules"]["labels"] == 10


def test_a_sample_has_the_same_number_of_each_stratum_whatever_the_order_and_follows_the_seed() -> None:
    rows = [(f"{n:03}", ("network" if n < 90 else "fraud", "sms")) for n in range(100)]
    drawn = stratified(rows, 10, seed=1)
    assert drawn == stratified(reversed(rows), 10, seed=1)
    assert sum(one < "090" for one in drawn) == 10
    assert len(drawn) == 20
    assert set(drawn) != set(stratified(rows, 10, seed=2))


@pytest.mark.parametrize("text", ['=HYPERLINK("x")', "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert harmless(text) == f"'{text}"
    assert harmless("no network") == "no network"


def test_terms_grow_among_at_least_five_people_and_masks_are_no_words() -> None:
    before = [(f"p{n}", "the lunch was cold") for n in range(40)]
    inside = [(f"p{n}", "the lunch was cold [phone]") for n in range(10)]
    told = [*inside, *[(f"q{n}", "esim profile [phone]") for n in range(8)], *[("loud", "zebra")] * 50]
    found = terms(told, before)
    assert [term.words for term in found[:1]] == ["esim"]
    assert {term.words for term in found} == {"esim", "profile", "esim profile"}
    assert {(term.people, term.people_before) for term in found} == {(8, 0)}
    assert found == terms(reversed(told), before)
