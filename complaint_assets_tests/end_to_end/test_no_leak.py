"""No leak: fifty invented people and their secrets go through every path; then every byte is searched for them.

They may occur where deliveries lie as they came (raw lake, inbox) and nowhere else: no table, no report, no alert,
no log, no event of Dagster, nothing on the screen.
"""

import csv
import gzip
import io
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from complaint_assets_tests.conftest import REPOSITORY, Home
from complaint_assets_tests.logic.native_samples import NPS_HEADER, jsonl, workbook

PEOPLE = 50
DAY = "2026-09-03"
HOURLY = ("social", "sms", "whatsapp")
MAY_HOLD_DELIVERIES = ("lake", "inbox", "vault")

# Runs the commands in one process, because starting Python costs seconds, and goes on where the command line would
# end; "contracts FOLDER" changes the setting, and TABLE.COLUMN stands for each id there in turn. At last it tells
# of failed runs and checks as the daemon does.
SCRIPT = """
import json, os, sys
from complaint_assets import cli
from resources.settings import settings
class Ended(BaseException): pass
def end(code): raise Ended(code)
os._exit = end
def each(arguments):
    name = next((a for a in arguments if a in ("complaints.complaint_id", "quarantine.quarantine_id")), None)
    if name is None:
        return [arguments]
    from deltalake import DeltaTable
    from complaint_assets.cli.common import stores
    table, column = name.split(".")
    ids = DeltaTable(stores().tables.location(table)).to_pyarrow_table(columns=[column])[column].to_pylist()
    return [[one if a == name else a for a in arguments] for one in sorted(ids)]
for call in json.load(sys.stdin):
    if call[0] == "contracts":
        os.environ["COMPLAINTS_CONTRACTS"] = call[1]
        settings.cache_clear()
        continue
    for arguments in each(call):
        sys.argv = ["complaints", *arguments]
        try:
            cli.main()
        except Ended as ended:
            print("ended", arguments[0], ended, file=sys.stderr)
import dagster as dg
from complaint_assets.definitions import default_resources, defs
from complaint_assets.sensors.alerts import run_failure_alerts
notifier = default_resources(settings())["notifier"]
with dg.DagsterInstance.get() as instance:
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])):
        run = record.dagster_run
        failed = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)[0].dagster_event
        run_failure_alerts(dg.build_run_status_sensor_context(
            sensor_name="run_failure_alerts", dagster_event=failed, dagster_instance=instance, dagster_run=run,
            resources={"notifier": notifier}).for_run_failure())
    checks = dg.build_sensor_context(instance=instance, resources={"notifier": notifier})
    print(defs.get_sensor_def("check_failure_alerts")(checks).skip_message)
sys.stdout.flush(); sys.stderr.flush()
"""


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist: names are syllables that no language puts together."""

    first: str
    last: str
    phone: str
    email: str
    handle: str
    card: str
    nin: str
    account: str
    street: str
    secret: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    @property
    def needles(self) -> list[bytes]:
        """What betrays the person, in lower case."""
        words = (self.first, self.last, self.email, self.handle, self.street.split()[0], self.secret)
        numbers = (self.phone[1:], self.card, self.nin, self.account)
        return [value.casefold().encode() for value in (*words, *numbers)]

    @property
    def complaint(self) -> str:
        spaced = " ".join(self.card[at : at + 4] for at in range(0, 16, 4))
        return (
            f"No network in Yaba since Monday. I am {self.name}, {self.first} to my friends, of 12 {self.street}. "
            f"Call {self.phone} or +234{self.phone[1:]}, mail {self.email}, write to @{self.handle}. "
            f"Card {self.card}, {spaced}. NIN {self.nin}, account {self.account}, password {self.secret}. "
            f"{self.last.upper()} is angry"
        )


def luhn(digits: str) -> str:
    """``digits`` with the check digit of cards."""
    total = sum(
        sum(divmod(2 * int(digit), 10)) if at % 2 == 0 else int(digit) for at, digit in enumerate(reversed(digits))
    )
    return digits + str(-total % 10)


def people() -> list[Person]:
    chance = random.Random(20260903)

    def word() -> str:
        return "".join(
            chance.choice("bdfgkmvz") + chance.choice("aeiou") + chance.choice("xqwj") for _ in range(3)
        )

    def digits(count: int) -> str:
        return "".join(chance.choice("0123456789") for _ in range(count))

    found = []
    for _ in range(PEOPLE):
        first, last = word().title(), word().title()
        found.append(
            Person(
                first,
                last,
                phone="080" + chance.choice("3678") + digits(7),
                email=f"{first.lower()}.{last.lower()}@example.net",
                handle=word() + "_" + word()[:4],
                card=luhn("4" + digits(14)),
                nin="7" + digits(10),
                account="30" + digits(8),
                street=f"{word().title()} Crescent",
                secret=f"sk-{word()}{digits(4)}{word()[:3]}",
            )
        )
    return found


def table(header: str, rows: list[list[str]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([header.split(","), *rows])
    return stream.getvalue().encode()


def good(p: list[Person]) -> dict[str, bytes]:
    """Deliveries of every source that read well, with people in every field that can hold one."""
    at, shown = f"{DAY} 10:00:00", f"{DAY}T09:00:00.000Z"
    log = (
        "Okwutel\r\nExport\r\n\r\nNightly\r\n"
        + table(
            "Case ID,Opened,Closed,Agent,Caller Number,Customer Name,Account No,Category,Sub Category,Notes,State,"
            "City,Status,Rating",
            [
                [
                    f"C{n}",
                    "03/09/2026 10:00",
                    "",
                    p[n + 1].name,
                    x.phone,
                    x.name,
                    x.account,
                    "Network",
                    x.name,
                    f"Mr {x.name} of 4 {x.street} says: {x.complaint}",
                    x.name,
                    x.street,
                    "Open",
                    "1",
                ]
                for n, x in enumerate(p[:8])
            ],
        ).decode()
    )
    return {
        "social/x": jsonl(
            *(
                {
                    "data": {
                        "id": f"19{n}",
                        "text": x.complaint,
                        "created_at": shown,
                        "author_id": x.nin,
                        "lang": "en",
                        "edit_history_tweet_ids": [f"19{n}"],
                        "geo": {"full_name": x.name},
                        x.email: {x.name: x.phone},
                    },
                    "includes": {
                        "users": [{"id": x.nin, "username": x.handle, "name": x.name, "location": x.street}]
                    },
                }
                for n, x in enumerate(p[8:16])
            )
        ),
        "social/mastodon": jsonl(
            *(
                {
                    "id": f"m{n}",
                    "created_at": shown,
                    "content": f"<p>{x.complaint}</p>",
                    "language": x.first,
                    "account": {"id": x.nin, "acct": f"{x.handle}@social.example", "display_name": x.name},
                    "visibility": "public",
                }
                for n, x in enumerate(p[16:20])
            )
        ),
        "sms/gateway": jsonl(
            *(
                {
                    "messageId": f"s{n}",
                    "from": f"+234{x.phone[1:]}",
                    "to": x.account,
                    "text": x.complaint,
                    "receivedAt": at,
                    "network": x.name,
                    "smsCount": int(x.nin),
                }
                for n, x in enumerate(p[20:26])
            )
        ),
        "whatsapp/cloud_api": jsonl(
            *(
                {
                    "object": "whatsapp_business_account",
                    "entry": [
                        {
                            "id": x.account,
                            "changes": [
                                {
                                    "field": "messages",
                                    "value": {
                                        "metadata": {"display_phone_number": x.phone, x.first: x.secret},
                                        "contacts": [{"profile": {"name": x.name}, "wa_id": f"234{x.phone[1:]}"}],
                                        "messages": [
                                            {
                                                "from": f"234{x.phone[1:]}",
                                                "id": f"w{n}",
                                                "timestamp": "1788426000",
                                                "type": "text",
                                                "text": {"body": x.complaint},
                                            }
                                        ],
                                    },
                                }
                            ],
                        }
                    ],
                }
                for n, x in enumerate(p[26:32])
            )
        ),
        "call_centre/contact_log": log.encode("cp1252"),
        "web_form/website": table(
            "submission_id,submitted_at,name,email,phone,topic,message,state,city,latitude,longitude,page",
            [
                [
                    f"f{n}",
                    f"{DAY}T10:00:00+01:00",
                    x.name,
                    x.email,
                    x.phone,
                    x.name,
                    x.complaint,
                    x.first,
                    x.street,
                    x.phone,
                    x.card,
                    f"/u/{x.email}",
                ]
                for n, x in enumerate(p[32:38])
            ],
        ),
        "web_form/app": json.dumps(
            [
                {
                    "id": f"a{n}",
                    "created": 1788426000000,
                    "email": x.email,
                    "msisdn": x.phone,
                    "subject": x.name,
                    "body": x.complaint,
                    "device": f"{x.first}'s phone",
                    "app_version": x.secret,
                    "location": {"lat": x.first, "lon": x.last},
                    "rating": x.name,
                }
                for n, x in enumerate(p[38:42])
            ]
        ).encode(),
        "survey/csat": table(
            "response_id,completed_at,msisdn,score,comment,contact_channel,state," + p[42].last,
            [[f"r{n}", at, x.phone, x.nin, x.complaint, x.name, x.name, x.card] for n, x in enumerate(p[42:46])],
        ),
        "survey/nps": workbook(
            ("Survey",),
            ("All",),
            NPS_HEADER,
            *((f"n{n}", at, int(x.phone), 0, x.complaint, x.name) for n, x in enumerate(p[46:])),
        ),
    }


def bad(p: list[Person]) -> dict[str, bytes]:
    """Deliveries that cannot be read, with people where the reader stumbles."""
    x, y = p[0], p[1]
    return {
        "sms/gateway": jsonl(
            {"messageId": "q1", "from": x.phone, "text": x.complaint, "receivedAt": x.name},
            {
                "messageId": {x.email: x.name},
                "from": x.phone,
                "text": [x.complaint],
                "receivedAt": f"{DAY} 10:00:00",
            },
            {"from": x.phone, "text": x.complaint},
            [x.complaint],
        )
        + f'{{"messageId": "q5", "text": "{x.complaint}\n'.encode()
        + b'{"messageId": "\xff\xfe'
        + y.complaint.encode()
        + b'"}\n',
        "call_centre/contact_log": b"\x81\x8d" + y.complaint.encode("utf-16"),
        "web_form/app": f'[{{"id": "{x.email}", "body": {y.name}}}'.encode(),
        "web_form/website": table(f"{x.name},{y.email}", [[x.complaint, y.phone]]),
        "survey/nps": b"PK\x03\x04" + x.complaint.encode(),
        "whatsapp/cloud_api": json.dumps({"entry": x.complaint}).encode()
        + b"\n"
        + b'"'
        + y.name.encode()
        + b'"\n',
    }


@dataclass(frozen=True)
class Used:
    """A home after everything that could go well or wrong has."""

    home: Path
    screen: str
    needles: set[bytes]


@pytest.fixture(scope="module")
def used(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Used:
    everybody = people()
    files = tmp_path_factory.mktemp("deliveries")
    calls: list[list[str]] = []
    for kind, deliveries in (("good", good(everybody)), ("bad", bad(everybody))):
        for source, content in deliveries.items():
            channel, name = source.split("/")
            # A file's name can say whose it is.
            path = files / kind / f"{name} {everybody[2].name} {everybody[2].phone}.dat"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            slot = f"{DAY}T10" if channel in HOURLY else DAY
            if kind == "bad" and channel == "sms":
                target = home.path / "inbox" / channel / name / slot / path.name
                target.parent.mkdir(parents=True)
                shutil.copyfile(path, target)
            else:
                calls.append(["land", channel, name, str(path), "--slot", slot, "--json"])
    # A source whose contract is gone when its delivery is read: that run fails.
    (files / "contracts" / "web_form").mkdir(parents=True)
    contract = (REPOSITORY / "complaint_assets/contracts/web_form/app.yaml").read_text()
    (files / "contracts/web_form/gone.yaml").write_text(contract.replace("source: app", "source: gone"))
    landed = files / "good" / f"app {everybody[2].name} {everybody[2].phone}.dat"
    calls += [
        ["run"],
        ["quarantine", "list", "--json"],
        ["quarantine", "show", "quarantine.quarantine_id"],
        ["show", "complaints.complaint_id"],
        ["sample", "--to", str(home.path / "sample"), "--share", "1"],
        ["status", "--json"],
        ["surges", "--all"],
        ["digest"],
        ["contracts", str(files / "contracts")],
        ["land", "web_form", "gone", str(landed), "--slot", "2026-09-04"],
        ["contracts", ""],
        ["run", "--json"],
    ]
    screen = run(home, calls)
    # Who lands a file sees the name of it again.
    screen = screen.replace(f"{everybody[2].name} {everybody[2].phone}.dat", "")
    assert "ended run 0" in screen
    assert "ended run 1" in screen, "the run without a contract fails"
    assert screen.count("ended show 0") >= 25
    assert screen.count("ended quarantine 0") >= 10
    assert re.search(r"^[1-9]\d* checks failed", screen, re.MULTILINE), "a check of what came fails, and is told"
    return Used(home.path, screen, {needle for person in everybody for needle in person.needles})


def run(home: Home, calls: list[list[str]]) -> str:
    """What ``calls`` of the command line printed."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(calls),
        cwd=REPOSITORY,
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what they say once unpacked: pages of tables are compressed."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".gz":
        yield gzip.decompress(raw)
    elif raw.startswith(b"PAR1"):
        yield json.dumps(pq.read_table(path).to_pydict(), default=str, ensure_ascii=False).encode()
    elif path.suffix == ".duckdb":
        yield from values(path)


def values(path: Path) -> Iterator[bytes]:
    with duckdb.connect(str(path), read_only=True) as warehouse:
        for schema, name in warehouse.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
        ).fetchall():
            found: Any = warehouse.table(f'"{schema}"."{name}"').to_arrow_table()
            yield json.dumps(found.to_pydict(), default=str, ensure_ascii=False).encode()


def test_nobody_is_named_outside_the_raw_deliveries(used: Used) -> None:
    anybody = re.compile(b"|".join(map(re.escape, sorted(used.needles))))
    leaks: dict[str, set[bytes]] = {}
    looked_at = 0
    for path in sorted(used.home.rglob("*")):
        relative = path.relative_to(used.home)
        if not path.is_file() or relative.parts[0] in MAY_HOLD_DELIVERIES:
            continue
        looked_at += 1
        for content in (str(relative).encode(), *contents(path)):
            if found := set(anybody.findall(content.lower())):
                leaks.setdefault(str(relative), set()).update(found)
    assert looked_at > 50
    assert not leaks


def test_nobody_is_named_on_the_screen(used: Used) -> None:
    assert not [needle for needle in used.needles if needle in used.screen.casefold().encode()]


def test_the_raw_lake_keeps_everybody(used: Used) -> None:
    """The search would find them: where deliveries lie as they came, all but those in a workbook are there."""
    raw = b"".join(path.read_bytes() for path in (used.home / "lake").rglob("*") if path.is_file()).lower()
    missing = [needle for needle in used.needles if needle not in raw]
    assert len(missing) < len(used.needles) * 5 / PEOPLE


def test_what_was_read_well_is_in_the_tables(used: Used) -> None:
    """Nobody leaks from a home that took nothing in."""
    rows = pq.read_table(next((used.home / "marts").rglob("complaints.parquet")), columns=["masked_text"]).column(
        0
    )
    assert sum("No network in Yaba since Monday" in (text or "") for text in rows.to_pylist()) >= 25
    sampled = b"".join(path.read_bytes() for path in (used.home / "sample").rglob("*.jsonl"))
    assert sampled.count(b"network in") >= 25
