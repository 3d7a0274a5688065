"""A sample for another environment: whole people, under names that lead nowhere, readable by its own contract."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from complaint_assets.contracts import load_contract
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.privacy.sample import SOURCE, contract_of, sample
from complaint_assets.logic.raw.parse import parse
from complaint_assets.logic.standardised.standardise import Origin, standardise
from complaint_assets.schemas.types import CHANNELS
from complaint_assets.vocabulary import load_masker

AT = datetime(2026, 11, 10, 10, tzinfo=UTC)


def delivery(number: int) -> dict[str, Any]:
    return {
        "complaint_id": f"complaint{number}",
        "author_ref": f"author{number % 40}" if number % 5 else None,
        "record_version": number % 3,
        "source": "gateway",
        "occurred_at": AT,
        "text": f"secret {number}",
        "rating": 2.0,
        "source_category": None,
        "resolution_status": "closed",
        "resolved_at": AT + timedelta(hours=1),
        "place": "Lagos",
        "is_amplification": number == 1,
    }


ROWS = [delivery(number) for number in range(200)]


def taken(share: float, seed: int = 1, key: bytes = b"k", shift: timedelta = timedelta()) -> list[dict[str, Any]]:
    return list(sample(ROWS, share, seed, key, lambda text: text.replace("secret", "[word]"), shift))


def test_all_or_nothing_that_a_person_sent_is_in_the_sample() -> None:
    everybody = {row["customer"]: 0 for row in taken(1.0) if row["customer"]}
    for row in taken(1.0):
        if row["customer"]:
            everybody[row["customer"]] += 1
    some = [row["customer"] for row in taken(0.3) if row["customer"]]
    assert 0 < len(set(some)) < len(everybody)
    assert all(some.count(customer) == everybody[customer] for customer in set(some))


def test_a_seed_chooses_the_same_people_again_and_another_others() -> None:
    assert taken(0.3) == taken(0.3)
    assert {row["id"] for row in taken(0.3)} != {row["id"] for row in taken(0.3, seed=2)}


def test_nothing_in_it_can_be_joined_with_production_or_another_sample() -> None:
    one, other = taken(1.0), taken(1.0, key=b"another")
    for name in ("id", "customer"):
        assert not {row[name] for row in one if row[name]} & {row[name] for row in other if row[name]}
    assert not any(word in json.dumps(one) for word in ("author", "complaint1", "secret"))


def test_times_move_together() -> None:
    (row,) = (row for row in taken(1.0, shift=timedelta(days=-3))[:1])
    assert (row["sent_at"], row["resolved_at"]) == ("2026-11-07T10:00:00+00:00", "2026-11-07T11:00:00+00:00")


@pytest.mark.parametrize("channel", CHANNELS)
def test_its_contract_reads_it_back(channel: str, tmp_path: Path) -> None:
    file = tmp_path / channel / f"{SOURCE}.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(contract_of(channel)))
    contract = load_contract(file)
    content = "".join(json.dumps(row) + "\n" for row in taken(1.0)).encode()
    origin = Origin(channel, SOURCE, "2026-11-10", "a" * 64, AT + timedelta(hours=2))
    keys = Keys(b"a key for tests, 32 bytes long..")
    masker = load_masker("strict", "NG")
    entries = parse(io.BytesIO(content), contract)
    found = standardise(entries, contract, origin, keys, "NG", date(2013, 1, 1), masker)
    assert (found.deliveries.num_rows, found.quarantine.num_rows) == (200, 0)
    row = found.deliveries.to_pylist()[1]
    assert (row["text"], row["rating"], row["resolution_status"]) == ("[word] 1", 2.0, "closed")
    assert (row["feed"], row["place"], row["is_amplification"]) == ("gateway", "Lagos", True)
    assert row["occurred_at"] == AT
