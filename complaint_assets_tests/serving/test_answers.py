"""The promises of answers: command line, API, mart and report tell one number, each role only its own."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from complaint_assets.assets.marts import mart_assets, mart_table
from complaint_assets.assets.reports import end_of, report_data
from complaint_assets.definitions import default_resources
from complaint_assets.ledger import Ledger
from complaint_assets.metrics import load_metrics
from complaint_assets.roles import load_roles
from complaint_assets.schemas.types import arrow_schema, duckdb_columns
from complaint_assets.schemas.warehouse import ComplaintFacts
from complaint_assets.serving.answers import BadQuestion, Denied, Question, answer, behind
from complaint_assets.serving.api import Api
from complaint_assets_tests.conftest import REPOSITORY, Home
from complaint_assets_tests.logic.test_metrics import fact
from complaint_assets_tests.postgres import postgres_server
from resources.publish import open_mart, publish
from resources.settings import settings

FIRST, LAST = date(2026, 11, 10), date(2026, 11, 12)
AS_OF = datetime(2026, 11, 13, 5, tzinfo=UTC)
TOKENS = {"operations": "o" * 32, "reporting": "r" * 32, "regulator": "g" * 32}


def rows() -> list[dict[str, Any]]:
    """Three days; in Kano on billing, only two people complained a day; and one hour of a day not closed yet."""
    made = []
    for day in range(3):
        at = datetime(2026, 11, 10 + day, 8, tzinfo=UTC)
        for n in range(20 + day):
            who = {"subject_id": f"p{n:025}", "occurred_at": at + timedelta(minutes=n)}
            place = {
                "region": "NG-KN" if n % 10 == 0 else "NG-LA",
                "category": "network" if n % 4 == 1 else "billing",
            }
            made.append(fact(len(made), **who, **place, sentiment=-0.5 if n % 3 else None))
    made.append(fact(999, occurred_at=AS_OF - timedelta(hours=1)))
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that holds these facts, and nothing else."""
    home = Home(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in home.environment.items():
            patch.setenv(name, value)
        settings.cache_clear()
        with duckdb.connect(str(settings().warehouse)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("made", pa.Table.from_pylist(rows(), schema=arrow_schema(ComplaintFacts)))
            columns = ", ".join(
                f"{name} {kind}{'' if nullable else ' NOT NULL'}"
                for name, kind, nullable, _ in duckdb_columns(ComplaintFacts)
            )
            connection.execute(f"CREATE SCHEMA warehouse; CREATE TABLE warehouse.complaint_facts ({columns})")
            connection.execute("INSERT INTO warehouse.complaint_facts BY NAME FROM made")
        stores, _ = opened()
        slot = {"channel": "sms", "source": "gateway", "slot": "2026-11-13T04", "object_sha256": "0" * 64}
        counts = {"bytes": 1, "records_in": 64, "standardised": 64, "quarantined": 0, "event_dates": [FIRST]}
        digests = {"manifest_sha256": "0", "content_digest": "0", "contract_version": "1"}
        Ledger(stores.tables).record_intake("sms", ["2026-11-13T04"], [{**slot, **counts, **digests}])
        yield home
    settings.cache_clear()


def opened() -> tuple[Any, Any]:
    from complaint_assets.cli.common import stores, warehouse

    return stores(), warehouse()


def ask(metric: str, role: str = "operations", **more: Any) -> Any:
    return answer(*opened(), Question(**{"metric": metric, "first": FIRST, "last": LAST, "role": role, **more}))


async def fetch(path: str, role: str | None = "operations", **headers: str) -> httpx.Response:
    api = Api({name: SecretStr(token) for name, token in TOKENS.items()}, lambda q: answer(*opened(), q))
    if role:
        headers["Authorization"] = f"Bearer {TOKENS.get(role, role)}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app()), base_url="http://api") as client:
        return await client.get(path, headers=headers)


def get(path: str, role: str | None = "operations", **headers: str) -> httpx.Response:
    import asyncio

    return asyncio.run(fetch(path, role, **headers))


@pytest.mark.parametrize("metric", ["complaints", "complainants", "negative", "repeats", "resolved"])
def test_mart_api_and_answer_tell_the_same_number(built: Home, metric: str) -> None:
    stores, warehouse = opened()
    asked = ask(metric, by=("event_date",), filters={"channel": ("sms",)}).rows
    path = f"/v1/kpi/{metric}?from={FIRST}&to={LAST}&by=event_date&channel=sms"
    assert get(path).json()["rows"] == json.loads(json.dumps(asked, default=str))
    reporting = load_roles()["reporting"]
    mart = mart_table(stores, warehouse, reporting, reporting.tables["complaints_daily"]).to_pylist()
    if metric != "complainants":  # people of parts do not add up
        for row in asked:
            parts = [one[metric] for one in mart if one["event_date"] == row["event_date"]]
            assert sum(part or 0 for part in parts) == row[metric] or None in parts
    assert [row["complaints"] for row in ask("complaints", by=("event_date",)).rows] == [20, 21, 22]


@pytest.mark.parametrize("role", ["operations", "reporting", "data_science", "privacy", "regulator"])
def test_every_figure_of_a_page_is_what_the_command_answers_for_its_period(built: Home, role: str) -> None:
    stores, warehouse = opened()
    of = load_roles()[role]
    page = report_data(of, stores, warehouse, pd.DataFrame(), "a run")
    days = {"day": 1, "week": 7, "month": 28}[of.report.over]
    hours = of.report.over == "day"
    assert page.end == (AS_OF if hours else datetime(2026, 11, 13, tzinfo=UTC))
    # Any role that may ask gets the same; the page by the hour covers parts of two days, told hour by hour.
    first, last = page.end - timedelta(days=days), page.end - timedelta(microseconds=1)
    whole = {"first": first.date(), "last": last.date()}
    inside = (
        {"event_hour": tuple((first + timedelta(hours=n)).isoformat()[:19] for n in range(24))} if hours else {}
    )
    asker = role if of.ask else "reporting"

    def answered(metric: str, *by: str) -> dict[tuple[Any, ...], Any]:
        found = ask(metric, asker, by=by, filters=inside, **whole).rows
        return {tuple(row[name] for name in by): row[metric] for row in found}

    for tile in page.tiles:
        assert {(): none(tile.current)} == answered(tile.metric.name), tile.metric.name
    compared = {
        "channels": ("contacts", "current", "channel"),
        "categories": ("complaints", "current", "category"),
        "sentiment": ("negative", "negative", "category"),
        "repeats": ("repeat_rate_7d", "repeat_rate_7d", "category"),
        "languages": ("sentiment_coverage", "sentiment_coverage", "language"),
        "arrivals": ("deliveries", "deliveries", "channel"),
        "versions": ("complaints", "complaints", "taxonomy_version"),
    }
    for frame, (metric, column, by) in compared.items():
        if frame in page.frames:
            told = {(row[by],): none(row[column]) for row in page.frames[frame].to_dict("records")}
            assert told == answered(metric, by), frame
    if "volume" in page.frames and not hours:
        daily = page.frames["volume"].set_index("start")["complaints"]
        told = {(at.date(),): none(n) for at, n in daily.items() if at.date() >= FIRST}
        assert told == answered("complaints", "event_date")


def none(value: Any) -> Any:
    return None if pd.isna(value) else value


def test_a_page_of_closed_days_ends_with_the_last_of_them_even_if_it_goes_by_the_hour() -> None:
    role = load_roles()["reporting"]
    by_hour = replace(role, report=replace(role.report, over="day"))
    assert end_of(by_hour, AS_OF) == datetime(2026, 11, 13, tzinfo=UTC)
    assert end_of(load_roles()["operations"], AS_OF) == AS_OF


def test_a_page_of_closed_days_tells_nothing_of_the_day_that_is_open(built: Home) -> None:
    stores, warehouse = opened()
    told = {
        name: report_data(load_roles()[name], stores, warehouse, pd.DataFrame(), "a run").frames["versions"]
        for name in ("reporting", "data_science", "operations")
    }
    assert told["reporting"]["complaints"].tolist() == [63]  # 20 + 21 + 22, without the one of this morning
    assert told["operations"]["complaints"].tolist() == [23]  # the 22 of yesterday from 08:00 on, and that one


def test_the_command_line_tells_the_same_number_and_how_far_to_trust_it(built: Home) -> None:
    told = built.complaints("kpi", "complaints", "--by", "region", "--from", FIRST, "--to", LAST)
    assert told["rows"] == ask("complaints", by=("region",)).rows
    assert told["data_as_of"] == AS_OF.isoformat()
    assert (told["stale"], told["rule_versions"]) == (True, ["1.0.0"])
    wrong = built.call("kpi", "complaint", "--from", FIRST, "--to", LAST)
    assert wrong.returncode == 2
    assert "complaint is no metric; there are" in wrong.stderr


def test_an_answer_without_rows_says_what_lists_the_values_that_there_are(built: Home) -> None:
    told = built.call("kpi", "complaints", "--where", "region=Lagos", "--from", FIRST, "--to", LAST)
    assert told.returncode == 0
    listing = f"complaints kpi complaints --by region --from {FIRST} --to {LAST} --role operations"
    assert f"Nothing has region=Lagos; {listing} lists what there is." in told.stderr
    assert built.call(*listing.split()[1:]).returncode == 0
    found = built.call("kpi", "complaints", "--by", "channel", "--from", FIRST, "--to", LAST)
    assert "Nothing has" not in found.stderr


def test_reporting_sees_closed_days_and_no_small_cell(built: Home) -> None:
    with_today = ask("complaints", "reporting", last=date(2026, 11, 13), by=("event_date",))
    assert with_today.last == LAST
    assert len(ask("complaints", last=date(2026, 11, 13), by=("event_date",)).rows) == 4
    cells = ask("complaints", "reporting", first=FIRST, last=FIRST, by=("category", "region"))
    # Kano on billing has two people, 0 and 10: the next larger cell is withheld with them.
    told = {(row["category"], row["region"]): row["complaints"] for row in cells.rows}
    assert told == {("billing", "NG-KN"): None, ("billing", "NG-LA"): 13, ("network", "NG-LA"): None}
    assert cells.withheld == 2
    with pytest.raises(BadQuestion, match="closed days only"):
        ask("complaints", "reporting", first=date(2026, 11, 13), last=date(2026, 11, 13))


def test_roles_that_may_not_ask_or_trace_are_refused(built: Home) -> None:
    asked = Question(metric="complaints", first=FIRST, last=LAST, role="reporting")
    with pytest.raises(Denied, match="may not ask"):
        ask("complaints", "regulator")
    with pytest.raises(Denied, match="follow a number"):
        behind(*opened(), asked, 10)
    for role, denied in (("operations", True), ("privacy", False)):
        tracing = Question(metric="complaints", first=FIRST, last=LAST, role=role)
        if denied:
            with pytest.raises(Denied, match="original bytes"):
                behind(*opened(), tracing, 10, raw=True)
        else:
            assert behind(*opened(), tracing, 10, raw=True).total == 63


def test_a_number_is_explained_by_as_many_complaints_as_it_says(built: Home) -> None:
    for metric in ("complaints", "negative", "negative_share"):
        filters = {"region": ("NG-LA",)}
        question = Question(metric=metric, first=FIRST, last=LAST, role="operations", filters=filters)
        counted = ask("negative" if metric == "negative_share" else metric, filters=filters, by=()).rows
        found = behind(*opened(), question, 1000)
        assert [found.total] == [next(iter(row.values())) for row in counted]
        assert len({row["complaint_id"] for row in found.complaints}) == found.total


def test_the_api_lets_in_roles_by_their_token_only(built: Home) -> None:
    path = f"/v1/kpi/complaints?from={FIRST}&to={LAST}"
    assert [get(path, role).status_code for role in (None, "x" * 32, "regulator", "operations")] == [
        401,
        401,
        403,
        200,
    ]
    assert get("/v1/metrics", None).status_code == 401
    assert get("/v1/openapi.json", None).status_code == 200
    assert "p0000" not in get(path + "&by=event_date,category").text


def test_the_api_answers_in_pages_and_not_again_what_is_known(built: Home) -> None:
    path = f"/v1/kpi/complaints?from={FIRST}&to={LAST}&by=event_date,region,category"
    whole = get(path).json()["rows"]
    pages, offset = [], 0
    while offset is not None:
        page = get(f"{path}&limit=4&offset={offset}").json()
        assert page["total"] == len(whole)
        pages += page["rows"]
        offset = page["next_offset"]
    assert pages == whole
    first = get(path)
    assert get(path, **{"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert get(path, **{"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/kpi/nonsense?from=2026-11-10&to=2026-11-12", 404),
        ("/v1/kpi/complaints?from=2026-11-10", 400),
        ("/v1/kpi/complaints?from=2026-11-12&to=2026-11-10", 400),
        ("/v1/kpi/complaints?from=2026-11-10&to=2026-11-12&by=subject_id", 400),
        ("/v1/kpi/complaints?from=2026-11-10&to=2026-11-12&colour=red", 400),
        ("/v1/kpi/complaints?from=2026-11-10&to=2026-11-12&limit=1001", 400),
        ("/v1/kpi/complaints?from=1926-11-10&to=2026-11-12", 400),
        (f"/v1/kpi/complaints?from=2026-11-10&to=2026-11-12&region={'x' * 4096}", 414),
    ],
)
def test_the_api_refuses_wrong_questions_in_words(built: Home, path: str, status: int) -> None:
    found = get(path)
    assert (found.status_code, bool(found.json()["error"])) == (status, True)


def test_the_openapi_document_names_every_metric(built: Home) -> None:
    kpi = get("/v1/openapi.json", None).json()["paths"]["/v1/kpi/{metric}"]["get"]
    assert set(kpi["parameters"][0]["schema"]["enum"]) == set(load_metrics().metrics)


def test_sql_reads_the_mart_of_a_role_and_nothing_else(built: Home, tmp_path: Path) -> None:
    stores, warehouse = opened()
    role = load_roles()["reporting"]
    tables = {name: mart_table(stores, warehouse, role, table) for name, table in role.tables.items()}
    path = publish(settings().marts, "reporting", tables)
    assert set(tables) == {"complaints_daily", "restatements"}
    told = built.complaints("sql", "reporting", "SELECT sum(complaints)::int AS n FROM complaints_daily")
    assert told == [{"n": sum(row["complaints"] or 0 for row in tables["complaints_daily"].to_pylist())}]
    today = datetime.now(UTC).date()
    assert built.complaints("sql", "reporting", "SELECT 1 AS n", "--as-of", today) == [{"n": 1}]
    for query, word in (
        ("SELECT * FROM complaint_facts", "complaint_facts"),
        ("FROM read_text('/etc/passwd')", "disabled"),
    ):
        refused = built.call("sql", "reporting", query)
        assert (refused.returncode, word in refused.stderr) == (2, True)
    older = built.call("sql", "reporting", "SELECT 1", "--as-of", today - timedelta(days=1))
    assert (older.returncode, "the oldest is of" in older.stderr) == (2, True)
    with open_mart(path) as mart, pytest.raises(duckdb.Error):
        mart.execute("CREATE TABLE mine (n INT)")
    assert pq.read_schema(path.parent / "complaints_daily.parquet").names == list(
        role.tables["complaints_daily"].columns
    )


def test_the_api_is_served_by_a_real_process_on_loopback(built: Home) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    built.settings["COMPLAINTS_API_TOKENS"] = json.dumps(TOKENS)
    command = [sys.executable, "-m", "complaint_assets.cli", "api", "--port", str(port)]
    server = subprocess.Popen(
        command, cwd=REPOSITORY, env=built.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/v1", trust_env=False, timeout=30) as client:
            deadline = time.monotonic() + 120
            while True:
                assert server.poll() is None, server.stdout and server.stdout.read()
                with contextlib.suppress(httpx.TransportError):
                    description = client.get("/openapi.json")
                    break
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert description.json()["openapi"].startswith("3.1")
            days = {"from": str(FIRST), "to": str(LAST), "by": "event_date"}
            assert client.get("/kpi/complaints", params=days).status_code == 401
            client.headers["Authorization"] = f"Bearer {TOKENS['operations']}"
            first = client.get("/kpi/complaints", params={**days, "limit": "2"})
            second = client.get("/kpi/complaints", params={**days, "offset": str(first.json()["next_offset"])})
            assert [row["complaints"] for row in first.json()["rows"] + second.json()["rows"]] == [20, 21, 22]
            known = {"If-None-Match": first.headers["ETag"]}
            again = client.get("/kpi/complaints", params={**days, "limit": "2"}, headers=known)
            assert (again.status_code, again.content) == (304, b"")
            assert client.post("/kpi/complaints", params=days).status_code == 405
    finally:
        server.terminate()
        told, _ = server.communicate(timeout=60)
    assert str(FIRST) not in told  # nothing of a question is logged
    assert TOKENS["operations"] not in told


def test_a_mart_reaches_postgres_in_the_run_that_publishes_it(
    built: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with postgres_server() as url:
        monkeypatch.setenv("COMPLAINTS_POSTGRES", url)
        settings.cache_clear()
        asset = next(one for one in mart_assets if one.key.path[-1] == "reporting")
        resources = {name: default_resources(settings())[name] for name in ("stores", "warehouse")}
        assert dg.materialize([asset], resources=resources).success
        with psycopg.connect(url) as owner:
            told = owner.execute(
                "SELECT event_date, sum(contacts) FROM reporting.complaints_daily GROUP BY 1 ORDER BY 1"
            ).fetchall()
            end = owner.execute("SELECT max(event_date) FROM reporting_rows.complaints_daily").fetchone()
    settings.cache_clear()
    role = load_roles()["reporting"]
    published: dict[date, int] = defaultdict(int)
    for row in mart_table(*opened(), role, role.tables["complaints_daily"]).to_pylist():
        published[row["event_date"]] += row["contacts"] or 0
    assert told == sorted(published.items())
    assert end == (LAST,)
