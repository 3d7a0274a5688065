"""The promise of exports: no text is ever taken for a formula, and nothing else is changed."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from complaint_assets.logic.marts.spreadsheet import harmless, to_csv, to_xlsx


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x")',
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        "\n=1",
        "\u00a0=1",
        "\u200b=1",
        "＝1",
        "＋1",
        "－1",
        "＠a",
        "\x00=1",
    ],
)
def test_a_formula_is_text_in_both_formats(text: str) -> None:
    cell = next(csv.reader(io.StringIO(to_csv(["a"], [{"a": text}]).partition("\r\n")[2], newline="")))[0]
    assert cell == f"'{text}"
    sheet = load_workbook(io.BytesIO(to_xlsx(["a"], [{"a": text}])))["data"]
    assert (sheet["A2"].data_type, str(sheet["A2"].value)[0]) == ("s", "'")


@given(st.text(st.characters(categories=["L", "N"]), min_size=1), st.integers(), st.floats(allow_nan=False))
def test_words_and_numbers_stay_as_they_are(word: str, whole: int, real: float) -> None:
    assert [harmless(value) for value in (word, whole, real, -1, None)] == [word, whole, real, -1, None]


def test_a_workbook_holds_numbers_as_numbers_and_times_in_utc() -> None:
    at = datetime(2026, 11, 10, 12, tzinfo=UTC)
    sheet = load_workbook(io.BytesIO(to_xlsx(["n", "at"], [{"n": -5, "at": at}])))["data"]
    assert (sheet["A2"].value, sheet["B2"].value) == (-5, at.replace(tzinfo=None))
