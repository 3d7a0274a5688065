"""Rows: faults of the world: files cut, clocks wrong, partners that refuse or fail."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from complaint_assets_tests.conftest import REPOSITORY
from complaint_assets_tests.faults.lab import run
from complaint_assets_tests.faults.table import Result, row


def by_tests(folder: Path, *names: str) -> Result:
    """What became of tests of the suite, in an interpreter of their own: each case is a trial."""
    report = folder / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "ignore", f"--junitxml={report}"]
        + [f"complaint_assets_tests/{name}" for name in names],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if not report.exists():
        return Result(problems=[(done.stdout + done.stderr)[-1500:]])
    result = Result()
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - our own report
        broken = [outcome.tag for outcome in case if outcome.tag in ("failure", "error", "skipped")]
        result.expect(not broken, f"{case.get('name')}: {', '.join(broken)}")
    return result


STORE_FAULTS, CLOCKS = "resources/test_store_faults.py", "logic/test_clocks.py"
TESTED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "clocks": (
        "times of the future, of 1970, seconds for milliseconds and the reverse, up to 90 days late; 10,000 "
        "generated times in five layouts and zones",
        "no partition beyond a day ahead, every record kept or quarantined; implausible and late ones flagged",
        tuple(
            f"{CLOCKS}::{name}"
            for name in (
                "test_ten_thousand_times_make_no_partition_beyond_a_day_and_lose_no_record",
                "test_a_clock_that_was_never_set_counts_as_of_the_arrival_and_keeps_what_it_said",
                "test_the_right_unit_is_read_as_ever",
                "test_what_is_up_to_ninety_days_late_is_taken_at_its_own_time_and_flagged",
                "test_what_is_older_than_the_first_event_date_is_quarantined_and_not_dated_today",
            )
        ),
    ),
    "clock-changes": (
        "days of 23 and 25 hours in London and New York, Kolkata's half hour, the leap day",
        "every wall-clock half hour becomes its instant, skipped ones are refused, doubled ones marked",
        tuple(
            f"{CLOCKS}::{name}"
            for name in (
                "test_a_local_day_has_as_many_hours_as_its_clock_shows",
                "test_kolkata_is_half_an_hour_off_and_a_day_can_begin_on_the_day_before",
                "test_a_leap_day_is_a_day_in_leap_years_only",
            )
        ),
    ),
    "empty-files": (
        "an empty file, one with a header and nothing else, no file at all, an empty archive",
        "three different facts, told apart in ledger and status; none is a failure",
        (
            "end_to_end/test_quarantine.py::"
            "test_no_file_an_empty_one_one_without_records_and_a_held_one_are_told_apart",
            "logic/test_drift.py::test_empty_and_header_only_are_different_facts",
            "logic/test_unpack.py::test_an_empty_archive_holds_no_records",
        ),
    ),
    "growing-files": (
        "files that are still written, `.part` names, checksums that come later or do not match",
        "read when sealed and not before; what is not its checksum stays and is told",
        (
            "resources/test_inbox.py::test_a_file_arrives_when_it_is_renamed_from_part",
            "resources/test_inbox.py::test_a_file_that_grows_changes_its_mark_with_every_block",
            "resources/test_inbox.py::"
            "test_a_file_without_sidecar_promises_nothing_and_one_that_comes_later_changes_its_mark",
            "resources/test_capture.py::test_a_file_that_is_not_its_checksum_is_held_and_told_and_its_neighbours_go_on",
            "sensors/test_sensors.py::test_a_file_that_changed_between_two_looks_is_left_alone",
        ),
    ),
    "drift": (
        "new, missing optional, missing required, renamed, retyped fields on all six channels",
        "kept and reported; null and flagged; held; suggested and never applied; kept and flagged",
        ("logic/test_drift.py",),
    ),
    "flipped-bits": (
        "single bits flipped in every format and container, 125 of each format",
        "no crash; what carries a checksum is refused or unchanged",
        (
            "logic/test_parse_damage.py::"
            "test_flipped_bits_never_crash_and_what_carries_a_checksum_is_not_believed",
            "logic/test_unpack.py::test_a_flipped_bit_is_never_a_wrong_record",
        ),
    ),
    "s3-fails": (
        "S3 answers 429, 500, 503, resets, dawdles, or loses its answer, twice and then recovers, in put, get and "
        "list; or goes on failing",
        "the same objects and manifests as in calm; an error after bounded tries, nothing half done",
        (
            f"{STORE_FAULTS}::test_an_s3_that_fails_twice_and_recovers_holds_the_same_objects",
            f"{STORE_FAULTS}::test_an_s3_that_goes_on_failing_is_an_error_and_leaves_nothing_half_done",
        ),
    ),
    "sqs-fails": (
        "SQS answers 500, 503, resets or dawdles, twice and then recovers, in send, receive and delete; is down",
        "every message once; while it is down, files are taken in all the same",
        (
            f"{STORE_FAULTS}::test_an_sqs_that_fails_twice_and_recovers_delivers_every_message_once",
            "resources/test_capture.py::test_a_queue_that_is_down_keeps_no_file_waiting",
        ),
    ),
    "kill-rules": (
        "kill -9 while rules are applied: audited, copied, results of the former rules kept, tables stored",
        "no reader sees two versions mixed, and the next run finishes",
        ("taxonomy/test_changes.py::test_a_kill_never_mixes_versions_and_the_next_run_finishes",),
    ),
    "endpoint-down": (
        "the alert endpoint is down for six hours, refuses, hangs, drips",
        "every alert arrives within two minutes of recovery, once per key",
        (
            "resources/test_notifier.py::test_alerts_survive_an_endpoint_that_is_down_then_broken_then_up",
            "resources/test_notifier.py::"
            "test_after_six_hours_of_every_fault_all_alerts_arrive_within_two_minutes_and_once",
        ),
    ),
}


def _register(key: str, fault: str, promise: str, names: tuple[str, ...]) -> None:
    @row(key, fault, f"{promise} (tests of the suite)", trials=0)
    def tested(folder: Path, trials: int) -> Result:
        return by_tests(folder, *names)


for _key, _row in TESTED.items():
    _register(_key, *_row)


# Files that are cut


AT = datetime(2026, 11, 10, tzinfo=UTC)
KB_4 = 4000
NEVER = 1 << 30
PACKED_FROM = 4
"""Bytes from which on it can be told that a file is packed at all."""


def four_kilobytes() -> dict[str, tuple[bytes, Any, int]]:
    """A file of about 4 kB in every format: content, contract, and from which byte on it tells that it is cut.

    It tells by a checksum or count of its own, or because its format says where it ends.
    """
    from complaint_assets_tests.logic import test_parse_damage, test_trailer
    from complaint_assets_tests.logic.test_unpack import zst

    found: dict[str, tuple[bytes, Any, int]] = {}
    for name in test_parse_damage.FORMATS:
        tells = 1 if name in (*test_parse_damage.CHECKED, *test_parse_damage.CLOSED) else NEVER
        sizes = (test_parse_damage.files(list(range(1, count)))[name] for count in range(11, 200))
        content, by = next(file for file in sizes if len(file[0]) > KB_4)
        found[name] = (content, by, tells)
    rows = [f"{n},text {hashlib.sha256(b'%d' % n).hexdigest()}\n" for n in range(1, 60)]
    lines = [json.dumps({"id": n, "text": row}) + "\n" for n, row in enumerate(rows, start=1)][:42]
    table = "id,text\n" + "".join(rows)
    found["csv with a count"] = (f"{table}TRAILER,{len(rows)}".encode(), test_trailer.CSV, 1)
    counted = "".join(lines) + json.dumps({"trailer": {"rows": len(lines)}})
    found["jsonl with a count"] = (counted.encode(), test_trailer.JSONL, 1)
    tsv = test_trailer.contract("tsv", r"TRAILER\t(?P<count>[0-9]+)")
    found["tsv with a count"] = (f"{table}TRAILER,{len(rows)}".replace(",", "\t").encode(), tsv, 1)
    # Packed, the digests above stay long: 4 kB of it are 4 kB of gz.
    plain, by = (table + "".join(row.upper() for row in rows)).encode(), found["csv"][1]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", plain)
    for name, packed in (("gz", gzip.compress(plain)), ("zst", zst(plain)), ("zip", out.getvalue())):
        found[f"csv in {name}"] = (packed, by, PACKED_FROM)
    return found


def accepted(content: bytes, by: Any) -> tuple[int, bool]:
    """Records that are read from ``content``, and whether anything tells that it is not whole."""
    from complaint_assets.logic.raw.records import Miscounted, Record, Refused
    from complaint_assets.logic.raw.unpack import read_entries

    found = list(read_entries(io.BytesIO(content), by, io.BytesIO()))
    good = sum(isinstance(one, Record) and not one.damaged for one in found)
    return good, any(isinstance(one, Refused | Miscounted) for one in found)


@row(
    "cut-files",
    "a file of about 4 kB cut at every byte, in every format, packed as gz, zst and zip, with counts and without",
    "no crash; cut short of a record it is told wherever the format ends, counts or checks; with a checksum "
    "beside it, no cut is ever taken in",
    trials=0,
    quick=97,
)
def cut_files(folder: Path, trials: int) -> Result:
    """``trials`` is the step between two cuts; 0 = every byte."""
    result = Result()
    found = run(lambda: cut_everywhere(folder, trials or 1)).value
    result.trials, result.lost, result.problems = found["cuts"], found["silent"], found["problems"]
    result.note = (
        f"{found['files']} files of {found['smallest']:,} to {found['largest']:,} bytes; {found['between']:,} "
        "cuts between two records of formats without end or count were noticed by the checksum alone"
    )
    return result


def cut_everywhere(folder: Path, step: int) -> dict[str, Any]:
    from resources.lake import Lake, WrongBytes

    lake, problems, cuts, silent, between = Lake(str(folder / "lake")), [], 0, 0, 0
    sizes = []
    for name, (content, by, tells_from) in four_kilobytes().items():
        whole, told = accepted(content, by)
        if told or not whole:
            problems.append(f"{name} is not whole to begin with")
        sizes.append(len(content))
        promised = hashlib.sha256(content).hexdigest()
        for end in range(1, len(content), step):
            cuts += 1
            try:
                good, told = accepted(content[:end], by)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a crash
                problems.append(f"{name} cut at {end}: {type(error).__name__}")
                continue
            if good < whole and not told:
                tells = end >= tells_from
                silent += tells
                between += not tells
                problems += [f"{name} cut at {end} is taken for whole"] * tells
            try:
                lake.land("survey", "s", "2026-11-10", name, AT, io.BytesIO(content[:end]), promised)
            except WrongBytes:
                continue
            problems.append(f"{name} cut at {end} was taken in against its checksum")
            silent += 1
    return {
        "cuts": cuts,
        "silent": silent,
        "between": between,
        "problems": problems,
        "files": len(sizes),
        "smallest": min(sizes),
        "largest": max(sizes),
    }


# A record that does not end


@row(
    "giant-record",
    "a file of 2 GB whose middle record is one line of 2 GB, between good ones: jsonl, json, csv, xml",
    "that record is quarantined as oversize, its neighbours are read, memory stays under 256 MB above start",
    trials=0,
)
def giant_record(folder: Path, trials: int) -> Result:
    from benchmarks.giant_record import PARTS, read

    result, most = Result(), 0
    for name in PARTS:
        kinds, megabytes, _ = run(lambda name=name: read(name)).value
        most = max(most, megabytes)
        kept = kinds == ["record", "oversize", "record"] and megabytes < MOST_MEGABYTES
        result.expect(kept, f"{name}: {kinds}, {megabytes} MB above start")
    result.note = f"{most} MB above start at most"
    return result


MOST_MEGABYTES = 256
