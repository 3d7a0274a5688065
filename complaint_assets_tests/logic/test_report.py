"""The reports tell exactly what they were told, safely, to everybody, and without a clock."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from complaint_assets.logic.report import (
    OperationsData,
    Period,
    ReportingData,
    operations_report,
    reporting_report,
)
from complaint_assets.logic.report.style import STYLE

AS_OF = datetime(2026, 11, 23, 14, 20, tzinfo=UTC)
NEWEST = datetime(2026, 11, 23, 13, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;\u202e\x00\ud800"
VOID = {"meta"}


def volume(step: timedelta, rows: int = 30) -> pd.DataFrame:
    """Counts that are all different, so that a mix-up of columns or rows shows."""
    return pd.DataFrame(
        {
            "start": [NEWEST - step * (rows - 1 - i) for i in range(rows)],
            "complaints": [2000 + i for i in range(rows)],
            "complainants": [1000 + i for i in range(rows)],
            "repeats": [100 + i for i in range(rows)],
            "negative": [300 + i for i in range(rows)],
            "with_sentiment": [700 + i for i in range(rows)],
            "resolved": [500 + i for i in range(rows)],
            "expected": [None if i < 3 else 900.0 + i for i in range(rows)],
            "upper_95": [None if i < 3 else 1010.5 for i in range(rows)],
        }
    )


def surge(**values: Any) -> dict[str, Any]:
    return {
        "surge_id": "a" * 26,
        "status": "open",
        "severity": "SEV2",
        "channel": None,
        "category": "no_signal",
        "region": "NG-LA",
        "started_at": NEWEST - timedelta(hours=4),
        "detected_at": NEWEST - timedelta(hours=3),
        "last_hour_at": NEWEST,
        "peak_at": NEWEST,
        "resolved_at": None,
        "observed": 412,
        "expected": 61.26,
        "excess": 350.7,
        "ratio": 6.72,
        "score": 40.0,
        "explanation": "412 complainants where 61 were expected.",
        **values,
    }


COMMON: dict[str, Any] = {
    "as_of": AS_OF,
    "data_until": NEWEST,
    "current": Period(1500, 1200, 150, 600, 1000, 750),
    "previous": Period(1000, 1600, 50, 300, 600, 500),
    "surges": pd.DataFrame(
        [
            surge(),
            surge(surge_id="b" * 26, severity="SEV1", region=None, category="slow_data"),
            surge(surge_id="c" * 26, severity="SEV1", status="resolved", resolved_at=NEWEST),
        ]
    ),
    "heat": pd.DataFrame(
        [
            {"category": "no_signal", "region": "NG-LA", "current": 90, "previous": 40},
            {"category": "no_signal", "region": "NG-KN", "current": 30, "previous": 40},
            {"category": "slow_data", "region": "NG-LA", "current": 7, "previous": 0},
            {"category": "slow_data", "region": "NG-KN", "current": 8, "previous": 8},
        ]
    ),
    "channels": pd.DataFrame(
        [
            {"channel": "sms", "current": 300, "previous": 400},
            {"channel": "social", "current": 1200, "previous": 600},
        ]
    ),
    "sentiment": pd.DataFrame(
        [
            {"category": "no_signal", "band": "negative", "complaints": 60},
            {"category": "no_signal", "band": "positive", "complaints": 20},
            {"category": "no_signal", "band": "unmeasured", "complaints": 25},
            {"category": "slow_data", "band": "neutral", "complaints": 20},
        ]
    ),
    "severity": pd.DataFrame(
        [
            {"category": "no_signal", "severity": 5, "complaints": 11},
            {"category": "no_signal", "severity": 1, "complaints": 13},
            {"category": "slow_data", "severity": 4, "complaints": 16},
        ]
    ),
    "health": pd.DataFrame(
        [
            {
                "channel": "sms",
                "last_received_at": AS_OF - timedelta(hours=1),
                "stale_after_hours": 2.0,
                "deliveries": 800,
                "duplicates": 40,
            },
            {
                "channel": "social",
                "last_received_at": AS_OF - timedelta(minutes=5),
                "stale_after_hours": 2.0,
                "deliveries": 1200,
                "duplicates": 60,
            },
        ]
    ),
    "quarantine": pd.DataFrame(
        [{"reason": "truncated", "records": 12}, {"reason": "unparseable_time", "records": 34}]
    ),
    "region_names": {"NG-LA": "Lagos", "NG-KN": "Kano"},
}
FORECAST = pd.DataFrame(
    [
        {
            "bucket_start": NEWEST + timedelta(hours=i),
            "category": "all",
            "expected": 20.0 + i,
            "lower_80": 10.0 + i,
            "upper_80": 30.0 + i,
            "upper_95": 40.0 + i,
        }
        for i in range(1, 4)
    ]
)


def operations(**changes: Any) -> str:
    given = {**COMMON, "volume": volume(timedelta(hours=1)), "forecast": FORECAST, **changes}
    return operations_report(OperationsData(**given))


def reporting(**changes: Any) -> str:
    return reporting_report(ReportingData(**{**COMMON, "volume": volume(timedelta(days=1)), **changes}))


class Reader(HTMLParser):
    """Reads the tables by caption, the words, the tags with their attributes, and checks the nesting."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self._caption = ""
        self._rows: list[list[str]] = []
        self.feed(page)
        self.close()
        assert not self._open, "unclosed elements"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.words += data
        if "caption" in self._open:
            self._caption += data
        elif "td" in self._open or "th" in self._open:
            self._rows[-1][-1] += data


def figures(row: list[str]) -> list[float | None]:
    return [None if cell == "–" else float(cell.replace(",", "").rstrip("×")) for cell in row]


def table_of(page: str, caption: str) -> list[list[str]]:
    tables = Reader(page).tables
    return next(rows for name, rows in tables.items() if name.startswith(caption))


@pytest.mark.parametrize(
    ("render", "caption", "step"),
    [
        (operations, "Complainants per hour", timedelta(hours=1)),
        (reporting, "Complainants per day", timedelta(days=1)),
    ],
)
def test_the_table_of_the_volume_chart_holds_every_figure_of_the_input(
    render: Any, caption: str, step: timedelta
) -> None:
    given = volume(step)
    rows = table_of(render(volume=given.sample(frac=1, random_state=1)), caption)[1:]
    expected = [
        [r.complaints, r.complainants, *(None if pd.isna(v) else round(v) for v in (r.expected, r.upper_95))]
        for r in given.itertuples()
    ]
    assert [figures(row[1:]) for row in rows] == expected
    assert rows[-1][0] == "23 Nov 2026 13:00 UTC"


def test_the_forecast_is_drawn_and_told_in_figures() -> None:
    rows = table_of(operations(), "Forecast")[1:]
    assert [figures(row[1:]) for row in rows] == [[21, 11, 31], [22, 12, 32], [23, 13, 33]]


def test_each_point_above_its_limit_is_marked_and_counted() -> None:
    page = operations()  # 1011..1029 are above 1010.5: 19 of the 27 hours with a limit
    assert page.count('class="over"') == 19 + 1  # and the legend
    assert "19 of 27 hours went above" in page


def test_heat_cells_show_counts_and_the_change_worked_out_by_hand() -> None:
    head, *rows = table_of(operations(), "Complaints and change")
    assert head == ["Category", "Lagos", "Kano", "All regions"]
    assert rows == [
        ["No signal", "90 ▲ +125%", "30 ▼ −25%", "120 ▲ +50%"],  # 90/40, 30/40, 120/80
        ["Slow data", "7 new", "8 = 0%", "15 ▲ +88%"],  # 7/0, 8/8, 15/8 = +87.5 rounds to even 88
        ["All categories", "97 ▲ +142%", "38 ▼ −21%", "135 ▲ +53%"],  # 97/40, 38/48, 135/88
    ]


def test_heat_colours_only_what_chance_does_not_explain() -> None:
    kinds = [
        attrs["class"]
        for tag, attrs in Reader(operations()).tags
        if tag == "td" and attrs["data-label"] in ("Lagos", "Kano")
    ]
    # (90-40)/sqrt(130) = 4.4; (30-40)/sqrt(70) = -1.2; 7/sqrt(7) = 2.6; 0; totals 57/sqrt(137) = 4.9, -1.1
    assert kinds == ["up2", "", "up1", "", "up2", ""]


def test_heat_gathers_what_does_not_fit_and_loses_nothing() -> None:
    wide = pd.DataFrame(
        [
            {"category": f"c{i:02}", "region": f"r{j:02}", "current": i * 20 + j + 1, "previous": 1}
            for i in range(14)
            for j in range(12)
        ]
    )
    head, *rows = table_of(operations(heat=wide), "Complaints and change")
    assert head[-2:] == ["4 more", "All regions"]
    assert rows[-2][0] == "4 more"
    counts = [[int(cell.split()[0].replace(",", "")) for cell in row[1:]] for row in rows]
    assert counts[-1][-1] == wide["current"].sum()
    assert all(sum(row[:-1]) == row[-1] for row in counts)
    assert [sum(column[:-1]) for column in zip(*counts, strict=True)] == counts[-1]


def test_bars_and_their_tables_show_the_input() -> None:
    page = operations()
    assert table_of(page, "Complaints by channel")[1:] == [
        ["Social", "1,200", "80%", "600", "▲ +100%"],
        ["SMS", "300", "20%", "400", "▼ −25%"],
    ]
    assert table_of(page, "Sentiment by category")[1:] == [
        ["No signal", "60", "0", "20", "25", "105"],
        ["Slow data", "0", "20", "0", "0", "20"],
    ]
    assert table_of(page, "Severity by category")[1:] == [
        ["No signal", "13", "0", "0", "0", "11", "24"],
        ["Slow data", "0", "0", "0", "16", "0", "16"],
    ]
    assert "60% of 100 complaints with a measured sentiment are negative; it is known for 80% of all" in page
    assert "68% of complaints are of severity 4 or 5" in page  # 27 of 40


def test_tiles_compare_with_the_period_before_and_tell_the_coverage() -> None:
    words = Reader(operations()).words
    assert "Complaints, last 24 hours1,500▲ +50% on the same hours a week before: 1,000" in words
    assert "1,200▼ −25% on the same hours a week before: 1,600" in words
    assert "Open surges21 other ended lately" in words
    assert "60%the same hours a week before: 50%; sentiment known for 1,000 of 1,500 (67%)" in words
    assert "Repeat share10%the 7 days before: 5%" in Reader(reporting()).words


def test_surges_stand_open_first_and_worst_first() -> None:
    rows = table_of(operations(), "Surges")[1:]
    assert [row[1:3] for row in rows] == [
        ["SEV1", "Open for 5\xa0h"],
        ["SEV2", "Open for 5\xa0h"],
        ["SEV1", "Resolved after 4\xa0h"],
    ]
    assert rows[0][3].startswith("Slow data · several regions · several channels")
    assert rows[1][3].startswith("No signal · Lagos · several channels")
    assert rows[1][4:7] == ["412", "61.3", "6.7×"]
    assert "2 open surges, the worst SEV1" in operations()


def test_health_tells_every_count() -> None:
    page = operations()
    assert [row[4:] for row in table_of(page, "Deliveries by channel")[1:]] == [
        ["800", "40"],
        ["1,200", "60"],
    ]
    assert table_of(page, "Records in quarantine")[1:] == [["Unparseable time", "34"], ["Truncated", "12"]]
    assert "5% of deliveries were duplicates; 46 records in quarantine" in page


@pytest.mark.parametrize(
    ("last", "stale"),
    [(AS_OF - timedelta(hours=2), False), (AS_OF - timedelta(hours=2, seconds=1), True), (None, True)],
)
def test_a_channel_silent_beyond_its_limit_raises_the_banner(last: datetime | None, stale: bool) -> None:
    health = COMMON["health"].copy()
    health["last_received_at"] = pd.Series([last, AS_OF], dtype="datetime64[us, UTC]")
    page = operations(health=health)
    assert ("Stale data:" in page) == stale
    assert ("▲ Overdue" in page) == stale


@pytest.mark.parametrize("render", [operations, reporting])
def test_hostile_words_are_shown_and_never_become_markup(render: Any) -> None:
    def poison(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
        return frame.assign(**{column: HOSTILE + frame[column].astype(str) for column in columns})

    page = render(
        surges=poison(COMMON["surges"], "category", "region", "channel", "explanation", "severity", "surge_id"),
        heat=poison(COMMON["heat"], "category", "region"),
        channels=poison(COMMON["channels"], "channel"),
        sentiment=poison(COMMON["sentiment"], "category"),
        severity=poison(COMMON["severity"], "category"),
        health=poison(COMMON["health"], "channel").assign(last_received_at=pd.NaT),
        quarantine=poison(COMMON["quarantine"], "reason"),
        region_names={"NG-LA": HOSTILE},
    )
    harmless = Reader(render())
    reader = Reader(page)
    assert {tag for tag, _ in reader.tags} == {tag for tag, _ in harmless.tags}
    assert {name for _, attrs in reader.tags for name in attrs} == {
        name for _, attrs in harmless.tags for name in attrs
    }
    assert "<script>alert(1)</script>" in reader.words
    assert not {"\u202e", "\x00", "\ud800"} & set(page)
    page.encode("utf-8")


@pytest.mark.parametrize("page", [operations(), reporting()], ids=["operations", "reporting"])
def test_a_page_is_self_contained_and_its_policy_allows_only_its_own_style(page: str) -> None:
    reader = Reader(page)
    policies = [a["content"] for _, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy"]
    style = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert len(style) == len(policies) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    assert not re.search(r"https?:|//|url\(|@import|javascript:", page.lower().replace("</", ""))
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in reader.tags}
    assert not {"style", "src", "href"} & {name for _, attrs in reader.tags for name in attrs}
    assert ("html", {"lang": "en-GB"}) in reader.tags
    assert "@media print" in page


@pytest.mark.parametrize("page", [operations(), reporting()], ids=["operations", "reporting"])
def test_every_drawing_has_a_name_and_identifiers_are_unique(page: str) -> None:
    for drawing in re.findall(r"<svg.*?</svg>", page, re.S):
        assert 'aria-hidden="true"' in drawing or re.search(r"<title[^>]*>[^<]+</title>", drawing)
    names = re.findall(r' id="([^"]*)"', page)
    assert len(names) == len(set(names))
    for referred in re.findall(r'aria-labelledby="([^"]*)"', page):
        assert set(referred.split()) <= set(names)


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("render", [operations, reporting])
def test_without_any_data_the_page_says_so(render: Any, columns: bool) -> None:
    frames = ("surges", "heat", "channels", "sentiment", "severity", "health", "quarantine")
    given = {name: COMMON[name].head(0) if columns else pd.DataFrame() for name in frames}
    given["volume"] = volume(timedelta(hours=1)).head(0) if columns else pd.DataFrame()
    if render is operations:
        given["forecast"] = FORECAST.head(0) if columns else pd.DataFrame()
    page = render(data_until=None, current=Period(), previous=Period(), **given)
    assert "No data yet" in page
    assert "No surge is open and none ended lately" in page
    assert not re.search(r"\b(nan|None|NaT|inf)\b", Reader(page).words)


def test_a_single_hour_of_zeros_without_expectation_can_be_drawn() -> None:
    one = volume(timedelta(hours=1), rows=1).assign(complaints=0, complainants=0, with_sentiment=0)
    page = operations(volume=one, forecast=FORECAST.head(0), surges=COMMON["surges"].head(0))
    assert "there is no expectation yet" in page
    assert not re.search(r"\bnan\b", page)


def test_the_order_of_rows_and_the_kind_of_pandas_change_nothing() -> None:
    shuffled = {
        name: value.sample(frac=1, random_state=7).convert_dtypes(dtype_backend="pyarrow")
        for name, value in {**COMMON, "volume": volume(timedelta(hours=1)), "forecast": FORECAST}.items()
        if isinstance(value, pd.DataFrame)
    }
    assert operations(**shuffled) == operations()


def luminance(colour: str) -> float:
    digits = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_from_what_is_behind_it() -> None:
    variables = dict(re.findall(r"--(\w+):(#\w+)", STYLE))
    for words in ("ink", "soft", "blue"):
        for ground in ("paper", "ground"):
            assert contrast(variables[words], variables[ground]) >= 4.5
    painted = re.findall(r"background:(#\w+);color:(#\w+)", STYLE)
    assert len(painted) >= 9
    for ground, words in painted:
        assert contrast(ground, words) >= 4.5
    fills = dict(re.findall(r"\.(\w+)\{fill:(#\w+)", STYLE))
    for names, words in re.findall(r"((?:text\.on-\w+,?)+)\{fill:(#\w+)\}", STYLE):
        for name in re.findall(r"on-(\w+)", names):
            assert contrast(fills[name], words) >= 4.5, name
