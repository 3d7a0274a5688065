"""Throughput of landing, on a folder and on S3 on loopback, beside ``cp`` of the same bytes with fsync.

    python -m benchmarks.landing [--megabytes 64] [--files 8] [--rounds 5] [--folder FOLDER]

The rounds of all ways are interleaved, so that what else the machine does falls on each alike; the ratio of a way
is the median over rounds of (its time / the time of cp in that round). Landing does more than cp: it hashes,
goes through a spool, stores two claims, a mark and a receipt, each with fsync.
The S3 server is moto's, in a thread of this process: its own work is part of the figure.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from resources.lake import Lake

AT = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


def s3_server() -> None:
    """An S3 server on loopback, found through the usual AWS settings."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        def log(self, *_: object) -> None:
            """No access log."""

    server = make_server(
        "127.0.0.1",
        0,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=Quiet,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(
        {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }
    )
    import boto3

    boto3.client("s3").create_bucket(Bucket="bench", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


def land_all(lake: Lake, files: list[Path]) -> None:
    for file in files:
        with file.open("rb") as stream:
            lake.land("sms", "gateway", "2026-11-23T06", file.name, AT, stream)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--megabytes", type=int, default=64, help="bytes of a round")
    asked.add_argument("--files", type=int, default=8)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--folder", type=Path, default=None, help="where to write; default: the temporary folder")
    options = asked.parse_args()
    s3_server()
    size = (options.megabytes << 20) // options.files
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        home = Path(name)

        def copy(files: list[Path], target: Path) -> None:
            target.mkdir()
            for file in files:
                subprocess.run(["cp", file, target / file.name], check=True)
                with (target / file.name).open("rb") as copied:
                    os.fsync(copied.fileno())

        ways: dict[str, Callable[[list[Path], int], None]] = {
            "cp + fsync": lambda files, n: copy(files, home / f"copy{n}"),
            "land in a folder": lambda files, n: land_all(Lake(str(home / f"lake{n}")), files),
            "land on S3": lambda files, n: land_all(Lake(f"s3://bench/{n}"), files),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for n in range(options.rounds + 1):  # the first warms up
            source = home / f"source{n}"
            source.mkdir()
            for k in range(options.files):
                (source / f"{k}.jsonl").write_bytes(random.Random(n * 1000 + k).randbytes(size))
            files = sorted(source.iterdir())
            for way, work in random.Random(n).sample(sorted(ways.items()), len(ways)):
                os.sync()
                started = time.perf_counter()
                work(files, n)
                if n:
                    times[way].append(time.perf_counter() - started)
            for folder in (source, home / f"copy{n}", home / f"lake{n}"):
                shutil.rmtree(folder)
    print(f"{options.rounds} rounds of {options.files} files, {options.megabytes} MB a round")
    print(f"{'way':20}{'MB/s (median)':>15}{'time / cp':>12}")
    for way, taken in times.items():
        ratios = [mine / base for mine, base in zip(taken, times["cp + fsync"], strict=True)]
        speed = options.megabytes / statistics.median(taken)
        print(f"{way:20}{speed:15.0f}{statistics.median(ratios):12.2f}")


if __name__ == "__main__":
    main()
