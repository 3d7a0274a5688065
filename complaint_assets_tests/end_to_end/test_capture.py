"""Pushed events, compressed files and redeliveries, from the command line to the tables."""

import gzip
import json
import zipfile
from pathlib import Path

from complaint_assets_tests.conftest import Home
from complaint_assets_tests.logic.native_samples import sms_message
from resources.queue import Depth
from resources.queue_spool import Spool


def test_pushed_and_packed_records_are_each_counted_once_however_often_they_come(
    home: Home, tmp_path: Path
) -> None:
    texts = ("no network", "no data", "slow calls")
    records = [json.dumps(sms_message(n, text=f"{texts[n % 3]} since {n}")).encode() for n in range(12)]
    lines = tmp_path / "records.jsonl"
    lines.write_bytes(b"".join(one + b"\n" for one in records[:5]))
    assert home.complaints("send", "sms", "gateway", lines)[0]["messages"] == 5
    home.complaints("send", "sms", "gateway", lines)  # everything is delivered again
    packed = tmp_path / "more.jsonl.gz"
    packed.write_bytes(gzip.compress(b"".join(one + b"\n" for one in records[3:9])))
    archive = tmp_path / "rest.zip"
    with zipfile.ZipFile(archive, "w") as one:
        one.writestr("a.jsonl", b"".join(r + b"\n" for r in records[8:10]))
        one.writestr("b.jsonl", b"".join(r + b"\n" for r in records[9:]))
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(b"\n" * (70 << 20)))
    home.complaints("land", "sms", "gateway", packed, archive, bomb)
    home.complaints("run")
    assert home.rows()["complaints"] == 12
    quarantined = home.complaints("quarantine", "list")
    assert [(row["reason"], row["records"]) for row in quarantined] == [("oversize", 1)]
    assert Spool(home.path / "queue.db").depth("sms") == Depth(0, 0, 0)
    assert home.call("lake", "verify").returncode == 0
