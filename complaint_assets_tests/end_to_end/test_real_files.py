"""The main job on real files that nobody here wrote; each expected count is established independently."""

import csv
import io
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from complaint_assets_tests.conftest import REAL_CONTRACTS, Home
from resources.tables import Tables

LANDINGS = {
    ("web_form", "comcast"): ["web_form/comcast_2015_apr_may.csv"],
    ("call_centre", "montgomery"): ["call_centre/montgomery_cable_2013_2018.csv"],
    ("call_centre", "ccts"): ["call_centre/ccts_canada_head.csv"],
    ("call_centre", "phone_now"): ["call_centre/phone_now_calls.xlsx"],
    ("social", "uk_operators"): ["social/uk_operator_tweets_o2_vodafone.csv"],
    ("social", "lagos_isp"): ["social/lagos_isp_tweets.csv"],
    ("sms", "nus"): ["sms/nus_sms_sample.jsonl"],
    ("whatsapp", "exports"): [
        "whatsapp/hist_example-12h.txt",
        "whatsapp/hist_example.txt",
        "whatsapp/hist_samplechat.txt",
        "whatsapp/lorem-2000.txt",
        "whatsapp/pokemon.txt",
    ],
    ("whatsapp", "cable_chat"): ["whatsapp/cable_chat_turns_dev.tsv"],
    ("survey", "kenya_app"): [
        "survey/kenya_app_reviews_scrape_1.csv",
        "survey/kenya_app_reviews_scrape_2.csv",
    ],
    ("survey", "trai"): ["survey/trai_mycall_2018_april.csv"],
}


def land_everything(home: Home, real_data: Path) -> list[dict[str, Any]]:
    """Land every file through the command line."""
    return [
        row
        for (channel, source), names in LANDINGS.items()
        for row in home.complaints("land", channel, source, *(real_data / name for name in names))
    ]


@pytest.fixture(scope="module")
def real_home(home: Home, real_data: Path) -> Home:
    """A home that has taken in every real file."""
    home.settings["COMPLAINTS_CONTRACTS"] = str(REAL_CONTRACTS)
    home.settings["COMPLAINTS_FIRST_EVENT_DATE"] = "2009-01-01"
    land_everything(home, real_data)
    home.complaints("run")
    return home


@pytest.fixture(scope="module")
def complaints(real_home: Home) -> pd.DataFrame:
    """The unified complaints of all sources."""
    from complaint_assets.schemas.complaints import Complaints
    from complaint_assets.schemas.types import arrow_schema

    table = Tables(str(real_home.path / "tables")).scan("complaints", arrow_schema(Complaints))
    return table.to_pandas()


def of(complaints: pd.DataFrame, source: str) -> pd.DataFrame:
    return complaints[complaints["source"] == source]


def rows_of(
    path: Path, *, encoding: str = "utf-8-sig", skip: int = 0, delimiter: str = ","
) -> list[dict[str, str]]:
    """Rows by the standard library, as an independent reading."""
    lines = io.StringIO(path.read_text(encoding=encoding), newline="")
    for _ in range(skip):
        next(csv.reader(lines, delimiter=delimiter))
    return list(csv.DictReader(lines, delimiter=delimiter))


def test_every_table_holds_rows_and_nothing_is_pending(real_home: Home) -> None:
    status = real_home.complaints("status")
    assert status["event_dates_pending"] == 0
    empty = {row["table"] for row in status["layers"] if not row["rows"]}
    # No file names a customer twice, and what happened years before the newest slot is neither new nor ahead.
    of_two_identifiers = {"subjects", "subject_links"}
    of_the_last_weeks = {"emerging_terms", "surge_forecast"}
    maybe_none = {"quarantine", "surges", "surge_transitions", "surge_backtest"}
    assert empty <= of_two_identifiers | of_the_last_weeks | maybe_none


def test_comcast_tickets_are_all_there_inside_two_months_and_in_the_order_of_their_numbers(
    complaints: pd.DataFrame, real_data: Path
) -> None:
    found = of(complaints, "comcast")
    tickets = {row["Ticket"] for row in rows_of(real_data / "web_form/comcast_2015_apr_may.csv")}
    assert set(found["source_record_id"]) == tickets
    assert len(found) == 944
    assert found["event_date"].min() >= date(2015, 4, 1)
    assert found["event_date"].max() <= date(2015, 5, 31)
    numbers = pd.to_numeric(found["source_record_id"], errors="coerce")
    order = pd.DataFrame({"ticket": numbers, "at": found["occurred_at"].astype("int64")}).dropna()
    assert order["ticket"].corr(order["at"], method="spearman") > 0.99


def test_montgomery_keeps_every_case_though_some_rows_are_equal(complaints: pd.DataFrame, real_data: Path) -> None:
    rows = rows_of(real_data / "call_centre/montgomery_cable_2013_2018.csv")
    found = of(complaints, "montgomery")
    assert len(found) == len(rows)
    opened = pd.Series([row["Date of Complaint"] for row in rows]).value_counts()
    days = found["event_date"].map(lambda day: f"{day:%m/%d/%Y}").value_counts()
    assert days.to_dict() == opened.to_dict()


def test_ccts_has_one_row_per_complaint_and_issue(complaints: pd.DataFrame, real_data: Path) -> None:
    rows = rows_of(real_data / "call_centre/ccts_canada_head.csv", encoding="cp1252", skip=6)
    keys = ("Complaint", "Service Provider", "Line of Business", "Primary Category", "Secondary Category", "Issue")
    assert len(of(complaints, "ccts")) == len({tuple(row[key].strip() for key in keys) for row in rows})


def test_every_call_of_the_workbook_is_there(complaints: pd.DataFrame, real_data: Path) -> None:
    sheet = pd.read_excel(real_data / "call_centre/phone_now_calls.xlsx")
    found = of(complaints, "phone_now")
    assert set(found["source_record_id"]) == set(sheet["Call Id"])
    given = sheet[sheet["Satisfaction rating"] > 0]["Satisfaction rating"]
    assert found["rating"].dropna().sum() == given.sum()


def test_a_tweet_collected_under_several_operators_is_one_complaint(
    complaints: pd.DataFrame, real_data: Path
) -> None:
    rows = rows_of(real_data / "social/uk_operator_tweets_o2_vodafone.csv")
    distinct = {(row["Tweet Created At"], " ".join(row["Tweet Text"].split())) for row in rows}
    found = of(complaints, "uk_operators")
    assert len(found) == len(distinct)
    assert found["deliveries"].sum() == len(rows)
    feeds: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        key = (row["Tweet Created At"], " ".join(row["Tweet Text"].split()))
        feeds.setdefault(key, set()).add(row["Mobile Network"])
    assert sum(len(f) for f in found["feeds"]) == sum(map(len, feeds.values()))


def test_two_scrapes_of_reviews_load_as_the_distinct_review_ids(complaints: pd.DataFrame, real_data: Path) -> None:
    ids = [
        row["review_id"] for n in (1, 2) for row in rows_of(real_data / f"survey/kenya_app_reviews_scrape_{n}.csv")
    ]
    found = of(complaints, "kenya_app")
    assert set(found["source_record_id"]) == set(ids)
    assert len(found) == len(set(ids))
    assert found["deliveries"].sum() == len(ids)


def test_ratings_without_id_author_or_time_are_never_merged(complaints: pd.DataFrame, real_data: Path) -> None:
    rows = rows_of(real_data / "survey/trai_mycall_2018_april.csv")
    found = of(complaints, "trai")
    assert len(found) == len(rows) == 20_000
    # Nobody rates a call from the Gulf of Guinea: (0, 0) stands for no position, as (-1, -1) does.
    missing = sum((row["Latitude"], row["Longitude"]) in {("-1", "-1"), ("0", "0")} for row in rows)
    assert found["latitude"].isna().sum() == missing


def test_messages_chats_and_turns_are_all_there(complaints: pd.DataFrame, real_data: Path) -> None:
    messages = [json.loads(line) for line in (real_data / "sms/nus_sms_sample.jsonl").read_text().splitlines()]
    assert len(of(complaints, "nus")) == len({(m["id"], m["country"], m["sender"]) for m in messages})
    turns = rows_of(real_data / "whatsapp/cable_chat_turns_dev.tsv", delimiter="\t")
    assert len(of(complaints, "cable_chat")) == len(turns)
    lorem = (real_data / "whatsapp/lorem-2000.txt").read_text()
    headers = re.findall(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d\] [^:\n]+: ", lorem, flags=re.MULTILINE)
    exports = of(complaints, "exports")
    years = exports["event_date"].map(lambda day: day.year)
    assert exports[years >= 2019]["deliveries"].sum() == len(headers)


def test_landing_everything_again_adds_nothing(real_home: Home, real_data: Path) -> None:
    before = real_home.digests()
    assert not any(row["new"] for row in land_everything(real_home, real_data))
    assert real_home.complaints("run") == []
    assert real_home.digests() == before
