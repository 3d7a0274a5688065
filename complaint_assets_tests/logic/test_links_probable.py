"""Probable links come from likeness of names, stay in their own table and bands, and never join subjects."""

import pyarrow as pa
import pytest

from complaint_assets.logic.complaints.links_probable import as_links, name_of, probable_links
from complaint_assets.schemas.subjects import BANDS, ProbableLinks, SubjectLinks
from complaint_assets.schemas.types import arrow_schema, to_pandas


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        ("email", "ada.obi+shop@example.com", "adaobi"),
        ("handle", "social/x|ada_obi", "adaobi"),
        ("handle", "social/mastodon|ada.obi@social.example", "adaobi"),
        ("email", "ada@example.com", None),
        ("email", "08031234567@example.com", None),
        ("phone", "+2348031234567", None),
    ],
)
def test_the_name_inside_an_identifier_is_compared_and_nothing_else(
    kind: str, value: str, name: str | None
) -> None:
    assert name_of(kind, value) == name


def test_only_the_bands_asked_for_are_counted() -> None:
    rows = [
        {"left": f"{n}" * 26, "right": "z" * 26, "match_weight": float(n), "band": band, "model_version": "m"}
        for n, band in enumerate(BANDS)
    ]
    links = as_links(pa.Table.from_pylist(rows, schema=arrow_schema(ProbableLinks)), ["strong"])
    SubjectLinks.validate(to_pandas(links), lazy=True)
    assert links["left"].to_pylist() == ["2" * 26]


def test_splink_finds_most_of_the_same_names_and_hardly_any_other() -> None:
    pytest.importorskip("splink", reason="the extra splink is not installed")
    firsts = [
        f"{a}{b}"
        for a in ("ade", "bol", "chi", "ngo", "eme", "kem", "oluwa", "ifea")
        for b in ("mi", "ka", "tu", "ri", "le")
    ]
    lasts = ["okafor", "balogun", "eze", "lawal", "bello", "nwosu", "sani", "danjuma", "alabi", "ojo"]
    names = [f"{first}{last}{n % 7}" for n, (first, last) in enumerate((f, s) for f in firsts for s in lasts)]
    regions = ["NG-LA", "NG-KN", "NG-RI", "NG-OY"]
    rows = [(f"{n:025d}e", name, regions[n % 4]) for n, name in enumerate(names)]
    rows += [(f"{n:025d}h", name, regions[n % 4]) for n, name in enumerate(names[:120])]
    people = pa.table(dict(zip(("subject_id", "name", "region"), map(list, zip(*rows, strict=True)), strict=True)))
    found = probable_links(people)
    ProbableLinks.validate(to_pandas(found), lazy=True)
    assert found.equals(probable_links(people))
    strong = [row for row in found.to_pylist() if row["band"] != "weak"]
    true = sum(row["left"][:25] == row["right"][:25] for row in strong)
    assert true >= 0.9 * 120
    assert true >= 0.9 * len(strong)
