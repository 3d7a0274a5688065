"""The simulator keeps its promises; what lies on disk is read here without any code of the simulator."""

import io
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import openpyxl
import phonenumbers
import pytest

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.raw.parse import parse
from complaint_assets.logic.standardised.standardise import Origin, Standardising, standardise
from complaint_assets.simulator import Outage, Summary, simulate
from complaint_assets.simulator.customers import CITIES
from complaint_assets.simulator.traffic import Plan
from complaint_assets.vocabulary import load_masker
from complaint_assets_tests.simulator.reading import (
    HOURLY,
    LAGOS,
    READERS,
    Found,
    files,
    json_lines,
    moment,
    read,
    slot_of,
    source_of,
)

REPOSITORY = Path(__file__).resolve().parents[2]
START = datetime(2026, 11, 1, tzinfo=UTC)  # a Sunday
DAYS = 14
MASKER = load_masker("analytic", "NG")
DELIVERIES = 20_000

STATES = {
    "NG-AK": "Akwa Ibom",
    "NG-AN": "Anambra",
    "NG-DE": "Delta",
    "NG-ED": "Edo",
    "NG-EN": "Enugu",
    "NG-FC": "FCT",
    "NG-KD": "Kaduna",
    "NG-KN": "Kano",
    "NG-LA": "Lagos",
    "NG-OG": "Ogun",
    "NG-OY": "Oyo",
    "NG-RI": "Rivers",
}
SAID = {
    "network": ("Voice calls", "Network"),
    "internet_speed": ("Slow browsing", "Internet"),
    "payments_recharge": ("Recharge failure", "Payments"),
    "sim_porting": ("SIM swap and porting", "SIM and registration"),
    "broadband_installation": ("Installation", "Home broadband"),
}
"""By category: the call centre's sub-category and the topic of the forms."""


@dataclass
class World:
    """A simulation on disk, what it says of itself, and what was found in its files."""

    folder: Path
    summary: Summary
    truth: dict[str, Any]
    found: list[Found]

    @property
    def sound(self) -> list[Found]:
        return [record for record in self.found if record.is_sound]

    def events(self) -> list[Found]:
        """The first delivery of each event."""
        first: dict[tuple[str, str | None], Found] = {}
        for record in self.sound:
            key = (record.source, record.id)
            if key not in first or record.slot < first[key].slot:
                first[key] = record
        return list(first.values())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    base = tmp_path_factory.mktemp("world")
    summary = simulate(
        base / "in", deliveries=DELIVERIES, start=START, days=DAYS, seed=1, truth=base / "truth.json"
    )
    truth = json.loads((base / "truth.json").read_text(encoding="utf-8"))
    return World(base / "in", summary, truth, [record for path in files(base / "in") for record in read(path)])


# Determinism


SCRIPT = """
import resource, sys
from datetime import datetime, UTC
from pathlib import Path
from complaint_assets.simulator import simulate
folder, deliveries, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
start = datetime(2026, 11, 1, tzinfo=UTC)
simulate(folder / "in", deliveries=deliveries, start=start, days=14, seed=seed, truth=folder / "truth.json")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def in_subprocess(folder: Path, deliveries: int, seed: int = 1, hash_seed: str = "0") -> int:
    """Simulate in an interpreter of its own; its peak memory in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(deliveries), str(seed)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return int(done.stdout)


def digest(folder: Path) -> str:
    """Of all names and bytes under ``folder``."""
    lines = [f"{path.relative_to(folder)} {sha256(path.read_bytes()).hexdigest()}" for path in files(folder)]
    return sha256("\n".join(lines).encode()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_any_process_and_another_seed_gives_others(tmp_path: Path) -> None:
    runs = {"a": (1, "0"), "b": (1, "4242"), "c": (2, "0")}
    for name, (seed, hash_seed) in runs.items():
        in_subprocess(tmp_path / name, 3000, seed, hash_seed)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    texts = {
        name: {path.read_bytes() for path in files(tmp_path / name) if path.stat().st_size > 300} for name in "ac"
    }
    assert not texts["a"] & texts["c"]


def test_no_two_files_hold_the_same_bytes_and_none_is_half_written(world: World) -> None:
    paths = files(world.folder)
    assert len({path.read_bytes() for path in paths}) == len(paths) == world.summary.files
    assert not [path for path in paths if path.suffix == ".part"]


# The truth file


def test_the_truth_counts_what_lies_in_the_files(world: World) -> None:
    assert set(world.truth["sources"]) == set(READERS)
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for record in world.found:
        counts = counted[record.source]
        counts["deliveries"] += 1
        counts["malformed"] += not record.is_sound
        counts["edits"] += record.is_sound and record.is_edit
    for event in world.events():
        counted[event.source]["events"] += 1
        counted[event.source]["late"] += event.slot > event.happened_in
        counted[event.source]["reposts"] += event.is_repost
    for path in files(world.folder):
        counted[source_of(path)]["files"] += 1
    for source, truth in world.truth["sources"].items():
        counts = counted[source]
        counts["redeliveries"] = counts["deliveries"] - counts["malformed"] - counts["edits"] - counts["events"]
        assert {name: counts[name] for name in truth if name != "repeats"} == {
            name: value for name, value in truth.items() if name != "repeats"
        }, source


def test_the_truth_file_says_what_the_summary_says(world: World) -> None:
    summary, truth = world.summary, world.truth
    sources = truth["sources"].values()
    assert truth["deliveries"] == summary.deliveries == sum(source["deliveries"] for source in sources)
    assert truth["events"] == summary.events == sum(source["events"] for source in sources)
    assert abs(summary.deliveries - DELIVERIES) < 0.01 * DELIVERIES
    assert (truth["start"], truth["days"], truth["seed"]) == (START.isoformat(), DAYS, 1)
    assert [outage["id"] for outage in truth["outages"]] == [outage.id for outage in summary.outages]


def test_every_kind_of_dirt_comes_in_its_share(world: World) -> None:
    total = {
        name: sum(source[name] for source in world.truth["sources"].values())
        for name in ("events", "redeliveries", "edits", "reposts", "repeats", "late", "malformed")
    }
    events = total["events"]
    social = sum(world.truth["sources"][f"social/{name}"]["events"] for name in ("x", "mastodon"))
    assert total["redeliveries"] / events == pytest.approx(0.04, abs=0.005)
    assert total["late"] / events == pytest.approx(0.01, abs=0.003)
    assert total["malformed"] / events == pytest.approx(0.002, abs=0.001)
    assert total["repeats"] / events == pytest.approx(0.03, abs=0.01)
    assert total["edits"] / social == pytest.approx(0.01, abs=0.004)
    assert total["reposts"] / social == pytest.approx(0.05, abs=0.01)


def test_late_means_within_three_days_and_nothing_arrives_before_it_happened(world: World) -> None:
    behind = [event.slot - event.happened_in for event in world.events()]
    assert min(behind) == timedelta(0)
    assert timedelta(hours=24) < max(behind) <= timedelta(hours=72)
    assert max(record.slot for record in world.found) < START + timedelta(days=DAYS)


def test_a_redelivery_repeats_what_was_said(world: World) -> None:
    said = defaultdict(set)
    for record in world.sound:
        said[record.source, record.id, record.is_edit].add(record.text)
    assert {len(texts) for texts in said.values()} == {1}


def test_an_edit_says_more_under_the_same_event(world: World) -> None:
    edits = [record for record in world.sound if record.is_edit]
    plain = {(record.source, record.id): record for record in world.sound if not record.is_edit}
    assert edits
    for edit in edits:
        before = plain[edit.source, edit.id]
        assert edit.at == before.at
        assert edit.text.startswith(before.text)
        assert len(edit.text) > len(before.text)


def test_a_repost_carries_the_words_of_another(world: World) -> None:
    reposts = [record for record in world.sound if record.is_repost and record.source == "social/x"]
    originals = {record.fields["data"]["id"]: record for record in world.sound if record.source == "social/x"}
    assert len(reposts) > 100
    for repost in reposts:
        assert len(repost.text) <= 140
        original = originals[repost.fields["data"]["referenced_tweets"][0]["id"]]
        author = original.fields["includes"]["users"][0]["username"]
        assert f"RT @{author}: {original.text}".startswith(repost.text.removesuffix("…"))


# The contracts


@pytest.fixture(scope="module")
def standardised(world: World) -> dict[str, list[Standardising]]:
    """Every file, read by the built-in contract of its source."""
    contracts = load_contracts()
    keys = Keys(b"a key for tests, 32 bytes long..")
    results = defaultdict(list)
    for path in files(world.folder):
        channel, source = source_of(path).split("/")
        content = path.read_bytes()
        received = slot_of(path) + (timedelta(hours=1) if channel in HOURLY else timedelta(days=1))
        origin = Origin(channel, source, path.parent.name, sha256(content).hexdigest(), received)
        contract = contracts[channel, source]
        results[f"{channel}/{source}"].append(
            standardise(
                parse(io.BytesIO(content), contract), contract, origin, keys, "NG", date(2013, 1, 1), MASKER
            )
        )
    return results


@pytest.mark.parametrize("source", READERS)
def test_the_built_in_contract_reads_every_record_but_the_malformed(
    world: World, standardised: dict[str, list[Standardising]], source: str
) -> None:
    truth, results = world.truth["sources"][source], standardised[source]
    assert sum(result.records_in for result in results) == truth["deliveries"]
    assert sum(result.quarantine.num_rows for result in results) == truth["malformed"]
    rows = [row for result in results for row in result.deliveries.to_pylist()]
    assert len({row["complaint_id"] for row in rows}) == truth["events"]
    versions = defaultdict(set)
    for row in rows:
        versions[row["complaint_id"]].add(row["record_version"])
    if source.startswith("social/"):
        assert sum(len(seen) - 1 for seen in versions.values()) == truth["edits"] > 0
    reposted = {row["complaint_id"] for row in rows if row["is_amplification"]}
    assert len(reposted) == truth["reposts"]
    flags = {flag for row in rows for flag in row["quality_flags"]}
    assert flags <= {"no_author", "no_text", "missing_coordinates"}, (
        "the contract maps or knows every field, and reads every value"
    )


def test_every_reason_to_refuse_a_record_occurs(standardised: dict[str, list[Standardising]]) -> None:
    reasons = {
        row["reason"]
        for results in standardised.values()
        for result in results
        for row in result.quarantine.to_pylist()
    }
    assert reasons >= {"malformed", "missing_required", "unparseable_time"}


# Native formats


def lines_of(world: World, source: str) -> Iterator[Any]:
    for path in files(world.folder / source):
        yield from json_lines(path.read_bytes())


def test_x_posts_have_the_shape_of_the_filtered_stream(world: World) -> None:
    posts = [record for record in world.sound if record.source == "social/x"]
    for post in posts:
        assert set(post.fields) == {"data", "includes"}
        data = post.fields["data"]
        required = {"id", "text", "created_at", "author_id", "lang", "edit_history_tweet_ids"}
        assert required <= set(data) <= required | {"geo", "referenced_tweets"}
        assert data["edit_history_tweet_ids"][-1] == data["id"]
        assert post.fields["includes"]["users"][0]["id"] == data["author_id"]
    assert any("geo" in post.fields["data"] for post in posts)
    ids = {(record.fields["data"]["id"], record.id, record.text) for record in posts}
    assert len({post for post, _, _ in ids}) == len(ids), "an id names one post"


def test_whatsapp_bodies_carry_up_to_five_messages_or_news_of_our_own(world: World) -> None:
    sizes: Counter[int] = Counter()
    for body in lines_of(world, "whatsapp/cloud_api"):
        if body is None:
            continue
        assert body["object"] == "whatsapp_business_account"
        value = body["entry"][0]["changes"][0]["value"]
        assert ("statuses" in value) != ("messages" in value)
        sizes[len(value.get("messages", []))] += 1
        senders = {contact["wa_id"] for contact in value.get("contacts", [])}
        assert {message["from"] for message in value.get("messages", [])} == senders
    assert set(sizes) == {0, 1, 2, 3, 4, 5}
    assert sizes[1] > sizes[5]


def test_the_call_centre_exports_cp1252_with_preamble_and_line_breaks_in_notes(world: World) -> None:
    contents = [path.read_bytes() for path in files(world.folder / "call_centre")]
    header = (
        b"Case ID,Opened,Closed,Agent,Caller Number,Customer Name,Account No,"
        b"Category,Sub Category,Notes,State,City,Status,Rating"
    )
    for content in contents:
        assert content.split(b"\r\n")[4] == header
        assert b"\n" not in content.replace(b"\r\n", b"")
    everything = b"".join(contents)
    assert b"\x92" in everything, "a typographic apostrophe"
    with pytest.raises(UnicodeDecodeError):
        everything.decode("utf-8")
    cases = [record for record in world.sound if record.source.startswith("call_centre")]
    assert any("\n" in case.text for case in cases)
    assert {case.fields["Status"] for case in cases} == {"Open", "Pending", "Resolved", "Closed"}
    closed = [case for case in cases if case.fields["Closed"]]
    assert all(case.fields["Status"] in ("Resolved", "Closed") for case in closed)
    for case in closed:
        at = moment(case.fields["Closed"], "%d/%m/%Y %H:%M")
        assert at is not None
        assert case.at is not None
        assert case.at <= at < case.slot + timedelta(days=1), "an export knows nothing of the future"


def test_workbooks_hold_real_dates_under_two_rows_of_preamble(world: World) -> None:
    path = files(world.folder / "survey" / "nps")[0]
    sheet = openpyxl.load_workbook(path)["Responses"]
    assert [cell.value for cell in sheet[3]] == [
        "Response ID",
        "Date",
        "Phone",
        "How likely are you to recommend us? (0-10)",
        "Why?",
        "Region",
    ]
    assert isinstance(sheet["B4"].value, datetime)
    assert sheet["B4"].is_date


def test_missing_values_come_in_every_guise(world: World) -> None:
    values: dict[str, set[Any]] = defaultdict(set)
    for record in world.sound:
        if isinstance(record.fields, dict):
            for name, value in record.fields.items():
                if not isinstance(value, dict | list):
                    values[f"{record.source}.{name}"].add(value)
    assert values["call_centre/contact_log.Account No"] >= {"", "N/A", "-"}
    assert values["web_form/website.email"] >= {"", "NA"}
    assert "-1" in values["web_form/website.latitude"]
    for name in ("web_form/app.email", "web_form/app.rating", "survey/nps.Why?", "survey/nps.Region"):
        assert None in values[name], name
    for name in ("call_centre/contact_log.Rating", "survey/csat.comment", "survey/csat.score"):
        assert "" in values[name], name


def test_customers_write_nigerian_english_and_some_pidgin(world: World) -> None:
    texts = [event.text.casefold() for event in world.events() if event.text]
    pidgin = re.compile(r"\b(una|abeg|dey|don|wahala|wetin|no fit|e no)\b")
    share = sum(bool(pidgin.search(text)) for text in texts) / len(texts)
    assert 0.05 < share < 0.4
    assert any("₦" in text for text in texts)
    assert any("nin" in text.split() for text in texts)
    assert len(set(texts)) > 0.6 * len(texts)
    assert not [text for text in texts if re.search(r"\{\w+\}|%s", text)], "every slot is filled"


def test_busy_feeds_come_every_quarter_of_an_hour(tmp_path: Path) -> None:
    simulate(tmp_path, deliveries=40_000, start=START, days=1)
    names = {path.stem[-4:] for path in files(tmp_path / "social" / "x" / "2026-11-01T12")}
    assert names == {"1200", "1215", "1230", "1245"}


# Customers


def test_a_customer_is_one_person_on_all_channels(world: World) -> None:
    seen: dict[tuple[str, str], set[Any]] = defaultdict(set)
    channels: dict[str, set[str]] = defaultdict(set)

    def link(kind: str, key: Any, value: Any) -> None:
        if key not in (None, "", "NA", "N/A", "-") and value not in (None, "", "NA", "N/A", "-"):
            seen[kind, str(key)].add(value)

    for record in world.sound:
        fields, phone = record.fields, record.phone
        if record.source == "social/x":
            user = fields["includes"]["users"][0]
            link("name of id", user["id"], user["name"])
            link("handle of id", user["id"], user["username"])
            link("name of number", int(user["username"].rpartition("_")[2], 16), user["name"])
        elif record.source == "social/mastodon":
            account = fields["account"]
            link("name of id", account["id"], account["display_name"])
            link("handle of id", account["id"], account["acct"].partition("@")[0])
        elif record.source == "whatsapp/cloud_api":
            names = {contact["wa_id"]: contact["profile"]["name"] for contact in fields["contacts"]}
            link("name of phone", phone, names[fields["from"]])
        elif record.source == "call_centre/contact_log":
            link("name of phone", phone, fields["Customer Name"])
            link("account of phone", phone, fields["Account No"])
            link("phone of account", fields["Account No"], phone)
        elif record.source == "web_form/website":
            link("name of phone", phone, fields["name"])
        if record.source.startswith("web_form"):
            link("email of phone", phone, fields["email"])
            link("phone of email", fields["email"], phone)
            number = re.search(r"(\d+)@", str(fields["email"]))
            if number:
                link("name of number", number[1], fields.get("name"))
        if phone:
            channels[phone].add(record.source.partition("/")[0])
    assert {key: values for key, values in seen.items() if len(values) > 1} == {}
    assert sum(len(used) > 1 for used in channels.values()) > 100, "some use several channels"


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def test_no_number_address_or_site_could_be_anybodys(world: World) -> None:
    everything = "\n".join(text for record in world.found for text in strings(record.fields))
    phones = set(re.findall(r"(?<![\w])(?:\+?234|0)[789]\d\d[ -]?\d{3} ?\d{4}(?!\w)", everything))
    assert len(phones) > 5000
    for phone in phones:
        parsed = phonenumbers.parse(phone if phone.startswith(("+", "0")) else f"+{phone}", "NG")
        assert phonenumbers.is_possible_number(parsed)
        assert not phonenumbers.is_valid_number(parsed)
    domains = set(re.findall(r"[\w.+-]@([\w-]+(?:\.[\w-]+)+)", everything.casefold()))
    sites = set(re.findall(r"https?://([^/\s\"<…]+)(?=[/\s\"<])", everything.casefold()))
    assert domains == {"example.com", "example.org", "social.example"}
    assert sites
    assert all(site.endswith(".example") for site in sites)


# Rhythm and outages


def test_nights_are_quieter_than_days_and_offices_rest_at_the_weekend(world: World) -> None:
    hours: Counter[int] = Counter()
    weekdays: dict[str, Counter[int]] = defaultdict(Counter)
    for event in world.events():
        assert event.at is not None
        local = event.at + LAGOS
        hours[local.hour] += 1
        weekdays[event.source][local.weekday()] += 1
    night, day = sum(hours[hour] for hour in range(6)), sum(hours[hour] for hour in range(9, 15))
    assert night < 0.2 * day
    evening = range(18, 22)
    assert min(hours[hour] for hour in evening) > max(hours[hour] for hour in range(6))
    for source, ceiling in (("call_centre/contact_log", 0.6), ("web_form/website", 0.6)):
        days = weekdays[source]
        assert (days[5] + days[6]) / 2 < ceiling * sum(days[number] for number in range(5)) / 5, source
    social = weekdays["social/x"]
    assert (social[5] + social[6]) / 2 > 0.8 * sum(social[number] for number in range(5)) / 5


def is_filed_under(event: Found, outage: Outage) -> bool:
    """Whether a call centre's case or a form of the website names the state and the matter."""
    if event.source == "call_centre/contact_log":
        theme, state = event.fields["Sub Category"], event.fields["State"]
    elif event.source == "web_form/website":
        theme, state = event.fields["topic"], event.fields["state"]
    else:
        return False
    return theme in SAID[outage.category] and state.casefold().startswith(STATES[outage.region].casefold())


def mentions_place(event: Found, outage: Outage) -> bool:
    """Whether a message or post names a place in the region."""
    names = {name for city in CITIES if city.region == outage.region for name in city.names}
    places = "|".join(map(re.escape, sorted(names)))
    return event.source.startswith(HOURLY) and re.search(places, event.text, re.IGNORECASE) is not None


def count_from(events: list[Found], start: datetime, span: timedelta) -> int:
    return sum(event.at is not None and start <= event.at < start + span for event in events)


def test_the_hours_of_an_outage_hold_the_excess_in_its_place_and_category(world: World) -> None:
    outages = world.summary.outages
    assert len(outages) == 4
    for outage in outages:
        span = outage.end - outage.start
        earlier = [outage.start - timedelta(days=number) for number in range(1, 8)]
        quiet = [
            day for day in earlier if not any(o.start < day + span and day < o.end for o in outages if o != outage)
        ]
        for belongs, least in ((is_filed_under, 0.05), (mentions_place, 0.15)):
            kind = [event for event in world.events() if belongs(event, outage)]
            now = count_from(kind, outage.start, span)
            usual = sum(count_from(kind, day, span) for day in quiet) / len(quiet)
            assert now - usual > least * outage.extra_complaints, (outage, belongs)
            assert now - usual > 3 * usual**0.5, (outage, belongs)


def test_an_outage_shows_on_its_channels_only() -> None:
    for seed in range(1, 9):
        plan = Plan(19_000, START, DAYS, seed)
        added: Counter[tuple[str, str]] = Counter()
        for hour in plan:
            for source in READERS:
                for category, region, number in plan.planted(hour, source):
                    outage = next(o for o in plan.outages if (o.category, o.region) == (category, region))
                    assert outage.start <= hour.start < outage.end
                    assert source.partition("/")[0] in outage.channels
                    added[category, region] += number
        assert added == {(o.category, o.region): o.extra_complaints for o in plan.outages}


@pytest.mark.parametrize("events", [957, 3000, 19_000, 9_500_000])
def test_outages_differ_in_place_and_matter_and_are_big_enough_to_be_found(events: int) -> None:
    everywhere = set()
    for seed in range(1, 21):
        plan = Plan(events, START, DAYS, seed)
        outages = plan.outages
        assert len(outages) == (4 if events >= 1600 else 2)
        assert len({outage.region for outage in outages}) == len(outages)
        assert len({outage.category for outage in outages}) == len(outages)
        for before, after in pairwise(outages):
            assert before.end <= after.start
        for outage in outages:
            assert START + timedelta(days=7) < outage.start
            assert outage.end <= START + timedelta(days=DAYS)
            assert timedelta(hours=2) <= outage.end - outage.start <= timedelta(hours=6)
            assert outage.extra_complaints >= 40
            assert outage.multiplier >= 4
        assert sum(outage.extra_complaints for outage in outages) <= 0.2 * events
        everywhere |= {outage.region for outage in outages}
    assert len(everywhere) > 8


# Limits


def test_memory_does_not_grow_with_the_number_of_deliveries(tmp_path: Path) -> None:
    few, many = (in_subprocess(tmp_path / str(number), number) for number in (20_000, 200_000))
    assert sum(path.stat().st_size for path in files(tmp_path / "200000")) > 50_000_000
    assert many < 1.3 * few


@pytest.mark.parametrize(
    "wrong",
    [
        {"deliveries": 999},
        {"deliveries": 10_000_001},
        {"days": 0},
        {"start": START.replace(tzinfo=None)},
        {"start": START.replace(minute=30)},
        {"start": datetime.fromisoformat("2026-11-01T00:00:00+01:00")},
    ],
)
def test_what_cannot_be_simulated_is_refused_before_anything_is_written(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    arguments: dict[str, Any] = {"deliveries": 1000, "days": 1, "start": START, **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        simulate(tmp_path / "in", **arguments)
    assert not (tmp_path / "in").exists()


def test_progress_is_told_after_every_hour(tmp_path: Path) -> None:
    told: list[int] = []
    summary = simulate(tmp_path, deliveries=1000, start=START, days=2, progress=told.append)
    assert len(told) == 48
    assert told == sorted(told)
    assert told[-1] == summary.deliveries
