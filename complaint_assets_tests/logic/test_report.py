"""The reports tell exactly what they were told, safely, to everybody, and without a clock."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser

import pandas as pd
import pytest

from complaint_assets.logic.report import SECTIONS, report
from complaint_assets.logic.report.data import FRAMES, Tile
from complaint_assets.logic.report.style import STYLE
from complaint_assets.logic.report.words import label
from complaint_assets.roles import BUILT_IN
from complaint_assets_tests.logic.report_data import (
    AS_OF,
    GIVEN,
    METRICS,
    ROLES,
    given,
    only,
    page_of,
    rows,
    tile,
    volume,
)

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;\u202e\x00\ud800"
VOID = {"meta"}


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


def test_every_section_a_role_may_name_is_one_there_is_and_each_is_shown_to_somebody() -> None:
    named = {section for role in ROLES.values() for section in role.report.sections}
    assert named == set(SECTIONS)
    schema = json.loads((BUILT_IN / "roles.schema.json").read_text())
    role = schema["properties"]["roles"]["additionalProperties"]["properties"]["report"]
    assert set(role["properties"]["sections"]["items"]["enum"]) == set(SECTIONS)


@pytest.mark.parametrize("role", ROLES)
def test_a_page_holds_the_sections_of_its_role_and_no_other(role: str) -> None:
    shown = re.findall(r'<section class="\w+" aria-labelledby="(\w+)"', page_of(role))
    assert shown == ["figures", *ROLES[role].report.sections]


def test_the_table_of_the_volume_chart_holds_every_figure_of_the_input() -> None:
    told = volume()
    rows = table_of(page_of(volume=told.sample(frac=1, random_state=1)), "Complainants per hour")[1:]
    expected = [
        [
            r.complaints,
            r.complainants,
            *(None if pd.isna(v) else round(v) for v in (r.expected, r.lower_05, r.upper_95)),
        ]
        for r in told.itertuples()
    ]
    assert [figures(row[1:]) for row in rows] == expected
    assert rows[-1][0] == "23 Nov 2026 13:00 UTC"


def test_the_forecast_is_drawn_and_told_in_figures() -> None:
    rows = table_of(page_of(), "Forecast")[1:]
    assert [figures(row[1:]) for row in rows] == [[21, 11, 31], [22, 12, 32], [23, 13, 33]]


def test_each_point_above_the_band_is_marked_and_counted() -> None:
    page = page_of()  # 1011..1029 are above 1010.5: 19 of the 27 hours with a band
    assert page.count('class="over"') == 19 + 1  # and the legend
    assert "19 of 27 hours went above" in page


def test_a_withheld_point_is_a_gap_in_the_line_and_a_dash_in_the_table() -> None:
    told = volume()
    told.loc[10, ["complaints", "complainants"]] = None
    page = page_of(volume=told)
    assert page.count('<polyline class="line"') == page_of().count('<polyline class="line"') + 1
    assert table_of(page, "Complainants per hour")[11][1:3] == ["–", "–"]


def test_codes_read_as_words_with_acronyms_in_capitals() -> None:
    assert label("sim_porting") == "SIM porting"
    assert label("fraud.sim_swap") == "Fraud: SIM swap"
    assert label("simulated_simple_matter") == "Simulated simple matter"


def test_heat_cells_show_counts_and_the_change_worked_out_by_hand() -> None:
    head, *rows = table_of(page_of(), "Complaints and change")
    assert head == ["Category", "Lagos", "Kano", "All regions"]
    assert rows == [
        ["No signal", "90 ▲ +125%", "30 ▼ −25%", "120 ▲ +50%"],  # 90/40, 30/40, 120/80
        ["Slow data", "7 new", "8 = 0%", "15 ▲ +88%"],  # 7/0, 8/8, 15/8 = +87.5 rounds to even 88
        ["All categories", "97 ▲ +142%", "38 ▼ −21%", "135 ▲ +53%"],  # 97/40, 38/48, 135/88
    ]


def test_heat_colours_only_what_chance_does_not_explain() -> None:
    kinds = [
        attrs["class"]
        for tag, attrs in Reader(page_of()).tags
        if tag == "td" and attrs["data-label"] in ("Lagos", "Kano")
    ]
    # (90-40)/sqrt(130) = 4.4; (30-40)/sqrt(70) = -1.2; 7/sqrt(7) = 2.6; 0; totals 57/sqrt(137) = 4.9, -1.1
    assert kinds == ["up2", "", "up1", "", "up2", ""]


def test_heat_gathers_what_does_not_fit_and_loses_nothing() -> None:
    wide = pd.DataFrame(
        [
            {"category": f"c{i:02}", "region": f"r{j:02}", "current": i * 20 + j + 1, "previous": 1, "people": 9}
            for i in range(14)
            for j in range(12)
        ]
    )
    whole = {by: wide.groupby(by, as_index=False).sum(numeric_only=True) for by in ("category", "region")}
    page = page_of(heat=wide, categories=whole["category"], regions=whole["region"])
    head, *rows = table_of(page, "Complaints and change")
    assert head[-2:] == ["4 more", "All regions"]
    assert rows[-2][0] == "4 more"
    counts = [[int(cell.split()[0].replace(",", "")) for cell in row[1:]] for row in rows]
    assert counts[-1][-1] == wide["current"].sum()
    assert all(sum(row[:-1]) == row[-1] for row in counts)
    assert [sum(column[:-1]) for column in zip(*counts, strict=True)] == counts[-1]


def test_where_the_data_does_not_reach_back_no_change_is_told() -> None:
    frames = {name: GIVEN[name].assign(previous=None) for name in ("heat", "categories", "regions")}
    page = page_of(**frames)
    assert table_of(page, "Complaints and change")[1] == ["No signal", "90", "30", "120"]
    assert "the data does not reach back to the same hours a week before" in page
    words = Reader(page_of(tiles=[tile("complaints", 1500, None)])).words
    assert "Complaints, last 24 hours1,500the same hours a week before: –" in words


def test_small_cells_are_told_to_roles_that_see_individuals_and_to_no_other() -> None:
    heat = GIVEN["heat"].copy()
    heat.loc[3, ["current", "previous", "people"]] = (3, 3, 3)
    severity = rows("category", "severity", "complaints", "people")(
        ("no_signal", 5, 3, 3), ("no_signal", 1, 13, 13), ("no_signal", 2, 90, 90), ("slow_data", 4, 16, 16)
    )
    for role, hidden in (("operations", False), ("reporting", True)):
        told = given(role, heat=heat, severity=severity)
        page = report(replace(told, role=only(role, "heat", "severity")))
        cells = table_of(page, "Complaints and change")
        levels = table_of(page, "Severity")
        if hidden:
            # Three people in one cell: another of its row and one of its column hide it, and each other.
            assert [row[1:3] for row in cells[1:3]] == [["withheld", "withheld"], ["withheld", "withheld"]]
            assert levels[1] == ["No signal", "withheld", "90", "0", "0", "withheld", "106"]
            assert "Slow data in Kano" not in page
            assert "No signal in Lagos" not in page
        else:
            assert cells[2][1:3] == ["7 new", "3 = 0%"]
            assert levels[1] == ["No signal", "13", "90", "0", "0", "3", "106"]


def test_bars_and_their_tables_show_the_input() -> None:
    page = page_of()
    assert table_of(page, "Contacts by channel")[1:] == [
        ["Social", "1,200", "80%", "600", "60%", "▲ +100%"],
        ["SMS", "300", "20%", "400", "40%", "▼ −25%"],
    ]
    assert table_of(page, "Sentiment of complaints")[1:] == [
        ["No signal", "60", "0", "20", "25", "105"],
        ["Slow data", "0", "20", "0", "0", "20"],
    ]
    assert table_of(page, "Severity of complaints")[1:] == [
        ["No signal", "13", "0", "0", "0", "11", "24"],
        ["Slow data", "0", "0", "0", "16", "0", "16"],
    ]
    assert "60% of 100 complaints with a measured sentiment are negative; it is known for 80%" in page
    assert "68% of complaints are of severity 4 or 5" in page  # 27 of 40


def test_resolution_ageing_repeats_and_rates_are_told_in_figures() -> None:
    page = page_of()
    assert table_of(page, "Resolved within")[1] == [
        "Billing", "24\xa0h", "40", "10", "30", "25%", "30.5 h", "60.0 h",
    ]  # fmt: skip
    assert "48% of 60 resolved complaints were within their limit; least in billing, 25%" in page  # 29 of 60
    assert table_of(page, "Open complaints")[1:] == [
        ["00-01 d", "5", "10", "▼ −50%"],
        ["01-03 d", "20", "10", "▲ +100%"],
    ]
    assert table_of(page, "Customers who come back")[1:] == [
        ["Billing", "50", "20%", "10%", "30%", "2"],
        ["Network", "40", "2.5%", "–", "5.0%", "1"],
    ]
    assert table_of(page, "Complaints per 100,000")[1:] == [
        ["Kano", "7.50", "7.50", "= 0%"],
        ["Lagos", "3.25", "2.50", "▲ +30%"],
    ]


def test_without_subscribers_there_is_no_rate() -> None:
    assert 'id="rate"' in page_of()
    assert 'id="rate"' not in page_of(rate=pd.DataFrame())


def test_tiles_compare_with_the_period_before_and_tell_what_they_mislead_without() -> None:
    words = Reader(page_of()).words
    assert "Complaints, last 24 hours1,500▲ +50% (worse) on the same hours a week before: 1,000" in words
    assert "1,200▼ −25% (better) on the same hours a week before: 1,600" in words
    assert (
        "60%▲ +10.0 points (worse) on the same hours a week before: 50%; "
        "with sentiment 1,000; sentiment coverage 67%" in words
    )
    assert "Median hours to resolve, last 24 hours12.5\xa0hthe same hours a week before: –" in words
    assert table_of(page_of(), "Key figures per hour")[-1][1:3] == ["5", "5"]


def test_surges_stand_open_first_and_worst_first_with_band_drivers_and_owner() -> None:
    rows = table_of(page_of(), "Surges")[1:]
    assert [row[1] for row in rows] == [
        "SEV1 Open for 5\xa0h",
        "SEV2 Open for 5\xa0h, night shift",
        "SEV1 Resolved after 4\xa0h",
    ]
    assert rows[0][2].startswith("Slow data · several regions · several channels")
    assert rows[1][2].startswith("No signal · Lagos · several channels")
    assert rows[1][3:6] == ["412", "61.3 (50.0 to 72.0)", "6.7×"]
    assert rows[1][7].endswith("were expected. SMS 300 (usual 20.0); words: “no bars”, “mast”")
    assert "2 open surges, the worst SEV1" in page_of()


def test_health_tells_every_count_and_a_difference_is_no_balance() -> None:
    page = page_of()
    assert [row[4:] for row in table_of(page, "Freshness")[1:]] == [
        ["800", "40", "3\xa0min", "2\xa0h"],
        ["1,200", "60", "0\xa0min", "5\xa0min"],
    ]
    assert table_of(page, "Records in quarantine")[1:] == [["Unparseable time", "34"], ["Truncated", "12"]]
    assert "5% of deliveries were duplicates; 46 records in quarantine; every record is accounted for" in page
    assert table_of(page, "Records in =")[1][3:] == ["100", "60", "20", "15", "5", "0", "9", "1"]
    lost = GIVEN["conservation"].assign(difference=[0, 3])
    assert "records do not balance in Social" in page_of(conservation=lost)
    assert "has not been checked yet" in page_of(conservation=pd.DataFrame())


def test_rules_restatements_months_agreement_and_audit_are_told() -> None:
    rules = page_of("reporting")
    assert table_of(rules, "Changes of the rules")[1][1:] == [
        "Apply", "1.0.0", "1.1.0", "eSIM complaints have a category",
    ]  # fmt: skip
    assert table_of(rules, "Contacts that came after")[1:] == [
        ["2026-11-20", "2026-11-22", "12", "9"],
        ["2026-11-19", "2026-11-22", "–", "–"],
    ]
    assert table_of(page_of("regulator"), "Complaints by month")[1] == ["2026-10", "50", "30", "20", "10", "31.5"]
    science = page_of("data_science")
    assert "agree on 90% of 200 labels; Cohen&#x27;s kappa is 0.85" in science
    assert table_of(science, "Complaints by language")[1:] == [["en", "80", "0", "80"], ["pcm", "0", "20", "20"]]
    privacy = page_of("privacy")
    assert table_of(privacy, "Entries by action")[1:] == [
        ["Erase", "2", "23 Nov 13:00"],
        ["Retention", "3", "21 Nov 14:20"],
    ]


@pytest.mark.parametrize(
    ("last", "stale"),
    [(AS_OF - timedelta(hours=2), False), (AS_OF - timedelta(hours=2, seconds=1), True), (None, False)],
)
@pytest.mark.parametrize("role", ROLES)
def test_a_channel_silent_beyond_its_limit_raises_the_banner(
    role: str, last: datetime | None, *, stale: bool
) -> None:
    freshness = GIVEN["freshness"].copy()
    freshness["newest"] = pd.Series([last, AS_OF], dtype="datetime64[us, UTC]")
    page = page_of(role, freshness=freshness)
    assert ("Stale data:" in page) == stale
    assert ("tale data" in Reader(page).words.split("data as of")[0]) == stale
    if "health" in ROLES[role].report.sections:
        assert ("▲ Overdue" in page) == stale
        assert ("○ Never heard" in page) == (last is None)


@pytest.mark.parametrize("role", ROLES)
def test_hostile_words_are_shown_and_never_become_markup(role: str) -> None:
    poisoned = {}
    for name, frame in GIVEN.items():
        words = [c for c in frame.columns if frame[c].map(lambda v: isinstance(v, str)).any() and c != "movers"]
        words = [c for c in words if not (name == "surges" and c == "status")]
        poisoned[name] = frame.assign(**{c: HOSTILE + frame[c].astype(str) for c in words})
    poisoned["surges"]["movers"] = json.dumps({"category": [{"name": HOSTILE[:-1], "observed": 9, "expected": 1}]})
    poisoned["surges"]["phrases"] = [[HOSTILE]] * 3
    poisoned["freshness"]["newest"] = AS_OF - timedelta(days=9)
    page = page_of(
        role, **poisoned, region_names={"NG-LA": HOSTILE}, provenance=[(HOSTILE, HOSTILE)], lineage=HOSTILE
    )
    harmless = Reader(page_of(role))
    reader = Reader(page)
    assert {tag for tag, _ in reader.tags} <= {tag for tag, _ in harmless.tags}
    assert {name for _, attrs in reader.tags for name in attrs} <= {
        name for _, attrs in harmless.tags for name in attrs
    }
    assert "<script>alert(1)</script>" in reader.words
    assert not {"\u202e", "\x00", "\ud800"} & set(page)
    page.encode("utf-8")


@pytest.mark.parametrize("role", ROLES)
def test_a_page_is_self_contained_and_its_policy_allows_only_its_own_style(role: str) -> None:
    page = page_of(role)
    reader = Reader(page)
    policies = [a["content"] for _, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy"]
    style = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert len(style) == len(policies) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    # The one address is the link to the lineage, which loads nothing until a person follows it.
    links = [attrs["href"] for _, attrs in reader.tags if "href" in attrs]
    assert links == [given().lineage]
    bare = page.replace(f'href="{links[0]}"', "")
    assert not re.search(r"https?:|//|url\(|@import|javascript:", bare.lower().replace("</", ""))
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in reader.tags}
    assert not {"style", "src"} & {name for _, attrs in reader.tags for name in attrs}
    assert ("html", {"lang": "en-GB"}) in reader.tags
    assert "@media print" in page
    for odd in ("javascript:alert(1)", "file:///etc/passwd", "data:text/html,x"):
        assert "<a " not in page_of(role, lineage=odd)


@pytest.mark.parametrize("role", ROLES)
def test_every_chart_has_a_name_a_takeaway_and_its_table_and_identifiers_are_unique(role: str) -> None:
    page = page_of(role)
    for drawing in re.findall(r"<svg.*?</svg>", page, re.S):
        assert 'aria-hidden="true"' in drawing or re.search(r"<title[^>]*>[^<]+</title>", drawing)
    for part in re.findall(r"<section.*?</section>", page, re.S):
        assert re.search(r'<h2[^>]*>[^<]+</h2><p class="takeaway">[^<]+\.</p>', part)
        assert "<svg" not in part or "<table" in part
    names = re.findall(r' id="([^"]*)"', page)
    assert len(names) == len(set(names))
    for referred in re.findall(r'aria-labelledby="([^"]*)"', page):
        assert set(referred.split()) <= set(names)


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("role", ROLES)
def test_without_any_data_the_page_says_so(role: str, *, columns: bool) -> None:
    empty = {name: GIVEN[name].head(0) if columns else pd.DataFrame() for name in FRAMES}
    tiles = [Tile(METRICS[name], None, None, []) for name in ROLES[role].report.tiles]
    page = page_of(role, data_until=None, tiles=tiles, starts=[], **empty)
    assert "No data yet" in page
    if "surges" in ROLES[role].report.sections:
        assert "No surge is open and none ended lately" in page
    assert not re.search(r"\b(nan|None|NaT|inf)\b", Reader(page).words)


def test_a_single_hour_of_zeros_without_expectation_can_be_drawn() -> None:
    one = volume(rows=1).assign(complaints=0, complainants=0)
    page = page_of(volume=one, forecast=GIVEN["forecast"].head(0), surges=GIVEN["surges"].head(0))
    assert "there is no expectation yet" in page
    assert not re.search(r"\bnan\b", page)


@pytest.mark.parametrize("role", ROLES)
def test_the_order_of_rows_and_the_kind_of_pandas_change_nothing(role: str) -> None:
    shuffled = {
        name: frame.sample(frac=1, random_state=7).convert_dtypes(dtype_backend="pyarrow")
        for name, frame in GIVEN.items()
    }
    assert page_of(role, **shuffled) == page_of(role)


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
