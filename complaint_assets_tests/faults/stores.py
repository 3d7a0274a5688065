"""Rows: kills inside single stores: S3, publication, notifier, compaction; and dead runs."""

import http.server
import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from complaint_assets_tests.faults import fences
from complaint_assets_tests.faults.homes import judged, lake_holds, put, take_in
from complaint_assets_tests.faults.kills import KILLED, Landing, of_kind
from complaint_assets_tests.faults.lab import Process, run, start
from complaint_assets_tests.faults.removals import ON_S3, calm, kill_removal
from complaint_assets_tests.faults.table import Result, row
from resources.outbox import LEASE_SECONDS


def waiting_for(path: Path, process: Process) -> str:
    """What ``process`` has written to ``path`` to say that it serves."""
    while not path.exists() or not path.read_text():
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            raise RuntimeError(str(process.result()))
        time.sleep(0.05)
    return path.read_text()


@row(
    "kill-s3-failpoints",
    "kill -9 before and after every put and delete on S3 (an S3 server on loopback, its bucket versioned); and "
    "while an object with its versions is removed",
    "taken in again, every file is one object in one manifest, as without the kill; asked again, no version of "
    "what was removed is left",
    trials=0,
)
def kill_s3(folder: Path, trials: int) -> Result:
    def serve() -> None:
        import threading

        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
        threading.Thread(target=server.serve_forever).start()
        import boto3

        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server.server_port}")
        client.create_bucket(Bucket="faults")
        client.put_bucket_versioning(Bucket="faults", VersioningConfiguration={"Status": "Enabled"})
        (folder / "port").write_text(str(server.server_port))

    os.environ.update(
        AWS_ACCESS_KEY_ID="nobody",
        AWS_SECRET_ACCESS_KEY="nothing",  # noqa: S106
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        NO_PROXY="127.0.0.1",
    )
    server = start(lambda: (serve(), signal.pause()))
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{waiting_for(folder / 'port', server)}"
    landing, result = Landing(folder), Result()
    landing.sent = landing.sent[:4]

    def on_s3(name: str, work: Any) -> Any:
        def inside() -> Any:
            os.environ["COMPLAINTS_LAKE"] = f"s3://faults/{name}"
            from complaint_assets_tests.faults.lab import enter

            enter(folder / name)
            return work()

        return inside

    def check(home: Path) -> Any:
        def work() -> dict[str, Any]:
            take_in()
            return lake_holds(home, landing.sent)

        return work

    put(landing.inbox, landing.sent, folder / "plain")
    expected = run(on_s3("plain", check(folder / "plain"))).value["digest"]
    for name in of_kind("s3."):
        put(landing.inbox, landing.sent, folder / name)

        def armed(name: str = name) -> None:
            from resources import failpoints

            failpoints.arm(f"{name}:2")
            take_in()

        killed = run(on_s3(name, armed))
        if killed.signal != KILLED:
            result.problems.append(f"{name} did not kill")
        found = run(on_s3(name, check(folder / name))).value
        result.add(judged(found, expected), name)
    _, gone = calm("s3://faults/calm", "cut")
    for name in (ON_S3, "replace.marked", "replace.receipt_removed", "remove.sealed", "remove.bytes_removed"):
        for nth in (1, 3) if name == ON_S3 else (1,):
            kill_removal(result, f"s3://faults/{name}-{nth}", "cut", f"{name}:{nth}", gone)
    server.kill()
    server.result()
    return result


@row(
    "kill-publish-failpoints",
    "kill -9 at every failpoint of publication",
    "`current` is one whole version, the old or the new; published again it is the new",
    trials=0,
    quick=3,
)
def kill_publish(folder: Path, trials: int) -> Result:
    result = Result()
    names = of_kind("publish.")
    for name in names[:: max(1, len(names) // trials)] if trials else names:
        place = folder / name
        place.mkdir()

        def store(who: str, place: Path = place) -> str:
            return fences.store_mart(place, who, lambda: None)

        run(lambda store=store: store("old"))
        killed = run(lambda store=store: store("new"), failpoint=name)
        between = run(lambda place=place: fences.stored_mart(place)).value
        run(lambda store=store: store("new"))
        after = run(lambda place=place: fences.stored_mart(place)).value
        kept = killed.signal == KILLED and between in ("['old']", "['new']") and after == "['new']"
        result.expect(kept, f"{name}: signal {killed.signal}, then {between}, then {after}")
    return result


@row(
    "kill-notifier-failpoints",
    "kill -9 at every failpoint of the notifier, with a webhook that listens",
    "each alert stands in the log once and has reached the webhook (at least once)",
    trials=0,
    quick=3,
)
def kill_notifier(folder: Path, trials: int) -> Result:
    posts = folder / "posts"

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with posts.open("ab") as file:
                file.write(body + b"\n")
            self.send_response(204)
            self.end_headers()

    def serve() -> None:
        server = http.server.HTTPServer(("127.0.0.1", 0), Endpoint)
        (folder / "port").write_text(str(server.server_port))
        server.serve_forever()

    server = start(serve)
    url = f"http://127.0.0.1:{waiting_for(folder / 'port', server)}/"
    result = Result()
    names = [name for name in of_kind("notifier.") if name != "notifier.mail_taken"]
    now = time.time()
    for name in names[:: max(1, len(names) // trials)] if trials else names:

        def send(name: str = name, at: float = now) -> bool:
            from resources.alert import Alert
            from resources.notifier import Notifier

            notifier = Notifier(folder=str(folder / name), webhook_url=url)
            return notifier.send(Alert(name, "warn", "t", "b"), lambda: datetime.fromtimestamp(at, UTC))

        def send_later(send: Callable[..., bool] = send) -> bool:
            return send(at=now + LEASE_SECONDS)  # the lease of who died is over

        killed = run(send, failpoint=name)
        again = run(send_later)
        logged = [json.loads(line)["key"] for line in (folder / name / "alerts.jsonl").read_text().splitlines()]
        posted = [json.loads(line)["key"] for line in posts.read_text().splitlines()].count(name)
        kept = killed.signal == KILLED and again.value is True and logged == [name] and posted >= 1
        result.expect(kept, f"{name}: signal {killed.signal}, logged {len(logged)}, posted {posted}")
    server.kill()
    server.result()
    return result


@row(
    "kill-compaction",
    "kill -9 before and after the compaction of a table",
    "every slice stands once; the next store compacts",
    trials=0,
    quick=1,
)
def kill_compaction(folder: Path, trials: int) -> Result:
    result = Result()
    slots = [f"{n:02}" for n in range(49)]
    schema = pa.schema([pa.field("slot", pa.string(), nullable=False)])

    def store(place: Path, wanted: list[str]) -> None:
        from resources import tables as module

        module.COMPACT_FILES = 3
        for slot in wanted:
            module.Tables(str(place)).replace(
                "facts",
                pa.table({"slot": [slot]}, schema=schema),
                schema=schema,
                partition_by=[],
                where=module.equals("slot", slot),
                sort_by=["slot"],
                statistics=["slot"],
            )

    def stand(place: Path) -> list[str]:
        from resources.tables import Tables

        return sorted(Tables(str(place)).scan("facts", schema)["slot"].to_pylist())

    for name in of_kind("tables.before_compact", "tables.compacted"):
        place = folder / name
        killed = run(lambda place=place: store(place, slots), failpoint=name)
        between = run(lambda place=place: stand(place)).value
        run(lambda place=place: store(place, slots[:2]))
        after = run(lambda place=place: stand(place)).value
        kept = killed.signal == KILLED and between == after == slots
        result.expect(
            kept, f"{name}: signal {killed.signal}, {len(between)} and {len(after)} rows of {len(slots)}"
        )
    return result


@row(
    "dead-runs",
    "the process of a Dagster run is killed; or is a zombie; or is merely stopped",
    "one look of the sensor fails the dead run and frees its pool slots, and leaves the stopped one alone "
    "(the sensor looks every 30 s)",
    trials=0,
    quick=3,
)
def dead_runs(folder: Path, trials: int) -> Result:
    result = Result()
    landing = Landing(folder)
    for name in ("killed", "zombie", "stopped"):
        home = landing.home(name)

        def work() -> None:
            from complaint_assets.cli.run import run_everything

            run_everything(None, quiet=True)

        process = start(work, home, failpoint="raw.before_landing:1:stop")
        if not process.wait_until_stopped():
            result.expect(False, f"{name}: ended {process.result()}")
            continue
        if name != "stopped":
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has taken note: a zombie
        if name == "killed":
            process.result()
        before, after = run(look_for_dead_runs, home).value
        wanted = ["STARTED", 1] if name == "stopped" else ["FAILURE", 0]
        result.expect(before == ["STARTED", 1] and after == wanted, f"{name}: {before}, then {after}")
        if name != "killed":
            process.kill()
            process.result()
    return result


def look_for_dead_runs() -> list[Any]:
    """Status of the newest run and slots taken of its pool, before and after a look of the sensor."""
    import dagster as dg

    from complaint_assets.sensors.reaper import reaper

    def state(instance: dg.DagsterInstance) -> list[Any]:
        (run,) = instance.get_runs(limit=1)
        taken = sum(
            instance.event_log_storage.get_concurrency_info(pool).active_slot_count
            for pool in instance.event_log_storage.get_concurrency_keys()
        )
        return [run.status.value, taken]

    with dg.DagsterInstance.get() as instance:
        before = state(instance)
        with dg.build_sensor_context(instance=instance) as context:
            reaper(context)
        return [before, state(instance)]
