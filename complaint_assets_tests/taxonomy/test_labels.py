"""People label a sample; what is wrong with their file is said by row; what they say is measured."""

import csv
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from complaint_assets.assets.taxonomy import LABELS
from complaint_assets.cli import app
from complaint_assets.cli.common import WrongUse
from complaint_assets_tests.conftest import Home
from complaint_assets_tests.taxonomy.house import DAYS, PHONE, House


def filled(file: Path, target: Path, answers: dict[str, tuple[str, str]]) -> Path:
    """A copy of the sample ``file`` in which ``answers`` (category, labeller) are filled in."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row["category"], row["labeller"] = answers.get(row["complaint_id"], ("", ""))
    if target.suffix == ".xlsx":
        book = openpyxl.Workbook()
        book.active.append(list(rows[0]))
        for row in rows:
            book.active.append(list(row.values()))
        book.save(target)
    else:
        with target.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return target


def test_a_sample_goes_out_masked_and_its_labels_come_back_from_either_format(
    house: House, tmp_path: Path
) -> None:
    house.tell((1, DAYS[0], "sms", "no network in Yaba"), (4, DAYS[0], "sms", f"=2+2 the lunch was cold {PHONE}"))
    house.enrich()
    sample, book = tmp_path / "sample.csv", tmp_path / "sample.xlsx"
    assert house.call("label-sample", "--to", sample)[0]["complaints"] == 3
    house.call("label-sample", "--to", book)
    with sample.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    texts = [row["text"] for row in rows]
    assert PHONE not in str(texts)
    assert not [text for text in texts if text.startswith("=")]
    assert {row["category"] for row in rows} == {""}, "what the rules say must not lead whoever labels"
    sheets = openpyxl.load_workbook(book)
    assert sorted(row[2].value for row in sheets["labels"].iter_rows(min_row=2)) == sorted(texts)
    assert "billing" in [row[0].value for row in sheets["categories"].iter_rows()]

    ids = [row["complaint_id"] for row in rows]
    wrong = filled(sample, tmp_path / "wrong.csv", {ids[0]: ("netwrok", "Ada"), ids[1]: ("network", "")})
    done = CliRunner().invoke(app, ["taxonomy", "label-import", str(wrong)])
    assert isinstance(done.exception, RuntimeError)
    assert "2 rows are wrong" in str(done.exception)
    assert [line for line in ("row 2", "row 3") if line not in done.output] == []
    assert house.tables.scan("labels", LABELS).num_rows == 0, "all or nothing"
    odd = tmp_path / "odd.csv"
    odd.write_text("a,b\n1,2\n")
    with pytest.raises(WrongUse, match="no column"):
        CliRunner().invoke(app, ["taxonomy", "label-import", str(odd)], catch_exceptions=False)

    network, other = f"{1:026}", f"{4:026}"
    first = filled(sample, tmp_path / "ada.csv", {network: ("network", "Ada"), other: ("network", "Ada")})
    second = filled(sample, tmp_path / "bo.xlsx", {network: ("Network", "Bo"), other: ("other", "Ada")})
    home = Home(house.path)
    home.complaints("taxonomy", "label-import", first)
    assert home.complaints("taxonomy", "label-import", second) == [{"labels": 2, "labellers": 2}]
    told = [
        (r["complaint_id"], r["labeller"], r["category"]) for r in house.tables.scan("labels", LABELS).to_pylist()
    ]
    assert sorted(told) == [(network, "Ada", "network"), (network, "Bo", "network"), (other, "Ada", "other")]
    tables = {row["table"]: row["rows"] for row in home.complaints("status")["layers"]}
    # In all, per labeller, between the two, and two categories.
    assert tables["calibration"] == 1 + 2 + 1 + 2
