"""``complaints``: what people do at the keyboard. Exit codes: 0 done, 1 the work failed, 2 wrong use."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from resources.settings import REPOSITORY, settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turn customer contact into one complaints table and early warnings.",
)
quarantine_app = typer.Typer(no_args_is_help=True, help="Records that could not be read.")
taxonomy_app = typer.Typer(no_args_is_help=True, help="The rules that classify complaints.")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(taxonomy_app, name="taxonomy")

out = Console(width=None if sys.stdout.isatty() else 150)
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


MOST_ROUNDS = 10
"""Rounds of rebuilding after which ``run`` gives up: dates, baselines and publication take three."""


class WrongUse(Exception):
    """The command was asked for something that cannot be: exit code 2."""


def show(rows: list[dict[str, Any]], as_json: bool, title: str = "") -> None:
    """Print ``rows`` as a table, or as JSON."""
    if as_json:
        typer.echo(json.dumps(rows, default=str, indent=2))
        return
    if not rows:
        out.print(f"{title}: none" if title else "none")
        return
    table = Table(title=title or None, title_justify="left")
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)


def stores() -> Any:
    """The stores of this home."""
    from complaint_assets.definitions import default_resources

    return default_resources(settings())["stores"]


def warehouse() -> Any:
    """The warehouse of this home."""
    from complaint_assets.definitions import default_resources

    return default_resources(settings())["warehouse"]


@app.command()
def land(
    channel: Annotated[str, typer.Argument(help="Channel, such as sms.")],
    source: Annotated[str, typer.Argument(help="Source of the channel, as its contract names it.")],
    files: Annotated[list[Path], typer.Argument(help="Files to land, as they are.")],
    slot: Annotated[str | None, typer.Option(help="Slot in which they arrived; default: now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put files into the raw lake; when this returns, they are safe."""
    from complaint_assets.contracts import load_contracts
    from complaint_assets.partitions import slot_at, slot_window, slots_of

    contracts = load_contracts(settings().contract_folders())
    if (channel, source) not in contracts:
        known = ", ".join(sorted(f"{c}/{s}" for c, s in contracts))
        raise WrongUse(f"{channel}/{source} has no contract. Known: {known}. More folders: COMPLAINTS_CONTRACTS.")
    for path in files:
        if not path.is_file():
            raise WrongUse(f"{path} is not a file")
    now = datetime.now(UTC)
    if slot:
        try:
            received_at = slot_window(channel, slot)[1]
        except ValueError:
            raise WrongUse(
                f"{slot} is no slot of {channel}; expected something like {slot_at(channel, now)}"
            ) from None
        if not slots_of(channel).has_partition_key(slot):
            raise WrongUse(f"slot {slot} lies outside the slots: they begin on {settings().first_slot}")
    else:
        slot, received_at = slot_at(channel, now), now
    lake = stores().lake
    rows = []
    for path in files:
        with path.open("rb") as stream:
            landed = lake.land(channel, source, slot, path.name, received_at, stream)
        rows.append(
            {
                "file": path.name,
                "bytes": landed.object.size,
                "sha256": landed.object.sha256,
                "slot": landed.object.slot,
                "new": landed.new,
            }
        )
    show(rows, as_json, f"Landed in {channel}/{source}")


@app.command()
def run(
    from_date: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Rebuild from this event date on.")
    ] = None,
    to_date: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Up to this event date, included.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in what has arrived and bring every asset up to date.

    With --from and --to these event dates are rebuilt even if they are up to date.
    """
    if bool(from_date) != bool(to_date):
        raise WrongUse("--from and --to go together")
    done = run_everything((from_date.date(), to_date.date()) if from_date and to_date else None, quiet=as_json)
    show(done, as_json, "Runs")


def run_everything(forced: tuple[date, date] | None, *, quiet: bool) -> list[dict[str, Any]]:
    """Execute every pending run in this process; return what was run.

    Raises:
        RuntimeError: a run failed; its id is named.
    """
    from dagster import DagsterInstance

    from complaint_assets.assets.raw import arrival_mark, arrival_slot, sealed_arrivals
    from complaint_assets.automation import PlannedRun, build_runs, ingest_runs
    from complaint_assets.definitions import defs
    from complaint_assets.ledger import Ledger
    from complaint_assets.schemas.types import CHANNELS

    home = stores()
    ledger = Ledger(home.tables)
    done: list[dict[str, Any]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with DagsterInstance.get() as instance, Progress(*columns, console=err, disable=quiet) as progress:

        def execute(runs: list[PlannedRun], label: str) -> None:
            if not runs:
                return
            for planned in progress.track(runs, description=label):
                started = datetime.now(UTC)
                result = defs.resolve_job_def(planned.job).execute_in_process(
                    instance=instance,
                    tags=planned.tags,
                    run_config={
                        **planned.run_config,
                        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                    },
                    raise_on_error=False,
                )
                if not result.success:
                    raise RuntimeError(
                        f"run {result.run_id} of {planned.job} {planned.first} {planned.last} failed: "
                        f"{failures(result)}. See it in the UI (make dev)."
                    )
                seconds = (datetime.now(UTC) - started).total_seconds()
                done.append(
                    {
                        "job": planned.job,
                        "from": planned.first,
                        "to": planned.last,
                        "seconds": round(seconds, 1),
                    }
                )

        for channel in CHANNELS:
            arrivals = sealed_arrivals(home, channel, [])
            slots = {arrival_slot(a) for a in arrivals} | set(ledger.stale_slots(home.lake, channel))
            execute(
                ingest_runs(channel, sorted(slots), [arrival_mark(a) for a in arrivals]),
                f"take in {channel}",
            )
        if forced:
            first, last = (day.isoformat() for day in forced)
            execute([PlannedRun("build", first, last)], "rebuild")
        for _ in range(MOST_ROUNDS):
            runs = build_runs(home, instance)
            if not runs:
                return done
            execute(runs, {"publish": "publish", "restate_metrics": "restate metrics"}.get(runs[0].job, "build"))
    raise RuntimeError(f"event dates are still pending after {MOST_ROUNDS} rounds: complaints status shows them")


def failures(result: Any) -> str:
    """Which steps and checks failed, without what they say."""
    steps = [event.step_key for event in result.all_events if event.is_step_failure]
    return ", ".join(dict.fromkeys(str(step) for step in steps)) or "before its first step"


@app.command()
def status(as_json: AsJson = False) -> None:
    """What has arrived, what is pending, and how many rows each layer holds."""
    from complaint_assets.checks.freshness import newest_slot_age
    from complaint_assets.ledger import Ledger
    from complaint_assets.schemas.types import CHANNELS

    home = stores()
    ledger = Ledger(home.tables)
    now = datetime.now(UTC)
    channels = []
    for channel in CHANNELS:
        rows = ledger.intake(channel)
        newest, age = newest_slot_age(ledger, channel, now)
        channels.append(
            {
                "channel": channel,
                "objects": len(rows),
                "records_in": sum(row["records_in"] for row in rows),
                "standardised": sum(row["standardised"] for row in rows),
                "quarantined": sum(row["quarantined"] for row in rows),
                "newest_slot": newest,
                "age_hours": None if newest is None else round(age / timedelta(hours=1), 1),
                "slots_pending": len(ledger.stale_slots(home.lake, channel)),
            }
        )
    pending = ledger.pending_dates()
    summary: dict[str, Any] = {
        "home": str(settings().home),
        "environment": settings().env,
        "event_dates_pending": len(pending.chain) + len(pending.metrics),
        "layers": layer_rows(),
        "event_dates": ledger.event_dates(),
    }
    if as_json:
        typer.echo(json.dumps({**summary, "channels": channels}, default=str, indent=2))
        return
    show(channels, False, "Channels")
    show(summary["layers"], False, "Layers")
    out.print(f"{summary['event_dates_pending']} event dates pending; home {summary['home']}")


def layer_rows() -> list[dict[str, Any]]:
    """Rows of every table."""
    from complaint_assets.schemas.types import arrow_schema
    from complaint_assets.tables import LAKE_TABLES, WAREHOUSE_TABLES

    home, store = stores(), warehouse()
    rows = []
    for name in LAKE_TABLES:
        rows.append({"table": name, "rows": home.tables.count(name), "where": home.tables.location(name)})
    for name, model in WAREHOUSE_TABLES.items():
        rows.append(
            {
                "table": name,
                "rows": store.count(name, arrow_schema(model)),
                "where": str(settings().warehouse),
            }
        )
    return rows


@app.command()
def surges(
    all_surges: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Incidents: what is surging, since when, and how much."""
    from complaint_assets.schemas.surges import Surges
    from complaint_assets.schemas.types import arrow_schema

    rows = warehouse().read("surges", arrow_schema(Surges)).sort_by([("started_at", "descending")]).to_pylist()
    if not all_surges:
        rows = [row for row in rows if row["status"] == "open"]
    names = (
        "severity",
        "status",
        "category",
        "region",
        "channel",
        "started_at",
        "observed",
        "expected",
        "ratio",
    )
    brief = [{**{n: row[n] for n in names}, "explanation": row["explanation"]} for row in rows]
    for row in brief:
        row["expected"], row["ratio"] = round(row["expected"], 1), round(row["ratio"], 1)
        row["started_at"] = f"{row['started_at']:%Y-%m-%d %H:%M}"
    show(rows if as_json else brief, as_json, "Surges" if all_surges else "Open surges")


@quarantine_app.command("list")
def quarantine_list(
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    as_json: AsJson = False,
) -> None:
    """Count quarantined records by channel, source and reason."""
    from collections import Counter

    counts = Counter(
        (row["channel"], row["source"], row["reason"], row["field"], row["contract_version"])
        for row in quarantine_rows(channel)
    )
    names = ("channel", "source", "reason", "field", "contract_version")
    show(
        [{**dict(zip(names, key, strict=True)), "records": n} for key, n in sorted(counts.items(), key=str)],
        as_json,
        "Quarantine",
    )


def quarantine_rows(channel: str | None) -> list[dict[str, Any]]:
    """Quarantine rows, of one channel or of all."""
    from complaint_assets.assets.standardised import QUARANTINE

    where = [("channel", "=", channel)] if channel else []
    return stores().tables.scan("quarantine", QUARANTINE, where=where).to_pylist()


@quarantine_app.command("show")
def quarantine_show(
    quarantine_id: str,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the original bytes; they can hold personal data.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Where one quarantined record lies and why it was refused."""
    found = [row for row in quarantine_rows(None) if row["quarantine_id"] == quarantine_id]
    if not found:
        raise WrongUse(f"{quarantine_id} is not in the quarantine; see: complaints quarantine list")
    if raw:
        row = found[0]
        lake = stores().lake
        manifest = lake.manifest(row["channel"], row["slot"])
        item = next(o for o in manifest.objects if o.sha256 == row["object_sha256"])
        sys.stdout.buffer.write(lake.read_range(item, row["byte_offset"], row["byte_length"]))
        return
    show(found, as_json)


@quarantine_app.command("replay")
def quarantine_replay(
    channel: Annotated[str, typer.Argument(help="Channel whose slots with quarantined records are read again.")],
    as_json: AsJson = False,
) -> None:
    """Read slots with quarantined records again, after their contract was mended."""
    from dagster import DagsterInstance

    from complaint_assets.automation import ingest_runs
    from complaint_assets.definitions import defs

    before = quarantine_rows(channel)
    with DagsterInstance.get() as instance:
        for planned in ingest_runs(channel, sorted({row["slot"] for row in before}), []):
            result = defs.resolve_job_def(planned.job).execute_in_process(
                instance=instance, tags=planned.tags, raise_on_error=False
            )
            if not result.success:
                raise RuntimeError(f"run {result.run_id} of {planned.job} failed: {failures(result)}")
    after = quarantine_rows(channel)
    show([{"channel": channel, "before": len(before), "after": len(after)}], as_json, "Replayed")


@taxonomy_app.command("check")
def taxonomy_check(as_json: AsJson = False) -> None:
    """Load and compile the rules; say what they hold."""
    from complaint_assets.taxonomy import load_rules

    rules = load_rules(settings().country)
    show([{"version": rules.version, **rules.figures()}], as_json, "Taxonomy")


@app.command()
def digest(as_json: AsJson = False) -> None:
    """Content digest of every table: equal content gives equal digests, however it was built."""
    show([{"table": name, "digest": value} for name, value in table_digests().items()], as_json, "Digests")


def table_digests() -> dict[str, str]:
    """Digest of every table that is derived from the raw lake, the ledger aside."""
    from complaint_assets.logic.digest import digest as digest_of
    from complaint_assets.schemas.types import arrow_schema
    from complaint_assets.tables import LAKE_TABLES, WAREHOUSE_TABLES

    home, store = stores(), warehouse()
    lake = {name: digest_of(home.tables.scan(name, arrow_schema(model))) for name, model in LAKE_TABLES.items()}
    rest = {name: digest_of(store.read(name, arrow_schema(m))) for name, m in WAREHOUSE_TABLES.items()}
    return lake | rest


@app.command()
def simulate(
    folder: Annotated[Path, typer.Option("--to", help="Folder to write deliveries to, such as the inbox.")],
    deliveries: Annotated[int, typer.Option(min=1000, max=10_000_000)] = 20_000,
    days: Annotated[int, typer.Option(min=1, max=3660)] = 14,
    seed: int = 1,
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day; default: so that it ends now.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Where to write what was simulated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write realistic deliveries of six channels, with outages and every kind of dirt."""
    summary = simulate_traffic(folder, deliveries, days, seed, start, truth, quiet=as_json)
    show([summary], as_json, "Simulated")


def simulate_traffic(
    folder: Path,
    deliveries: int,
    days: int,
    seed: int,
    start: datetime | None,
    truth: Path | None,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Run the simulator with a progress bar."""
    from complaint_assets.simulator import simulate as write_traffic

    first = start.replace(tzinfo=UTC) if start else default_start(days)
    with Progress(console=err, disable=quiet) as progress:
        task = progress.add_task("simulate", total=deliveries)
        summary = write_traffic(
            folder,
            deliveries=deliveries,
            start=first,
            days=days,
            seed=seed,
            truth=truth or folder.parent / "truth.json",
            progress=lambda done: progress.update(task, completed=done),
        )
    return {"deliveries": summary.deliveries, "files": summary.files, "outages": len(summary.outages)}


def default_start(days: int) -> datetime:
    """The hour from which ``days`` of traffic end with the last whole hour."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=days)


@app.command()
def demo(
    deliveries: Annotated[int, typer.Option(min=1000)] = 20_000,
    days: Annotated[int, typer.Option(min=1)] = 14,
    seed: int = 1,
) -> None:
    """Simulate traffic, take it in, materialise everything and say what was found."""
    home = settings().home
    truth = home / "truth.json"
    if truth.exists():
        err.print(f"{home} holds traffic already: it is brought up to date (make clean starts afresh)")
    else:
        simulate_traffic(home / "inbox", deliveries, days, seed, None, truth, quiet=False)
    show(run_everything(None, quiet=False), False, "Runs")
    demo_summary(truth)


def demo_summary(truth: Path) -> None:
    """Print what the demo made and where it lies."""
    from complaint_assets.schemas.surges import Surges
    from complaint_assets.schemas.types import arrow_schema

    home = settings()
    show(layer_rows(), False, "Rows per table")
    intake = stores().tables
    from complaint_assets.ledger import Ledger

    rows = Ledger(intake).intake()
    figures = {row["table"]: row["rows"] for row in layer_rows()}
    records, quarantined = sum(r["records_in"] for r in rows), sum(r["quarantined"] for r in rows)
    out.print(
        f"\n{records:,} records came in: {figures['complaints']:,} contacts, "
        f"{records - quarantined - figures['complaints']:,} duplicates, {quarantined:,} quarantined."
    )
    found = warehouse().read("surges", arrow_schema(Surges)).to_pylist()
    planted = json.loads(truth.read_text())["outages"] if truth.exists() else []
    out.print(f"{len(found)} surges found; {len(planted)} outages were simulated:")
    for outage in planted:
        out.print(f"  simulated  {outage['start'][:16]}  {outage['category']} in {outage['region']}")
    for surge in sorted(found, key=lambda row: row["started_at"]):
        out.print(f"  {surge['severity']}  {surge['explanation']}", soft_wrap=True)
    out.print("\nWhere things are")
    for label, path in (
        ("raw lake", home.lake_url()),
        ("row tables", home.tables),
        ("warehouse", home.warehouse),
        ("marts", home.marts),
        ("reports", home.reports),
        ("alerts", home.alerts),
        ("truth", truth),
    ):
        out.print(f"  {label:<11}{path}", soft_wrap=True)


@app.command()
def ui() -> None:
    """Serve the Dagster UI on loopback with its daemon, on the first free port."""
    port = free_port(settings().port)
    out.print(f"\nThe UI is at http://127.0.0.1:{port} (stop with Ctrl-C)")
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-w",
        "workspace.yaml",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    raise typer.Exit(subprocess.call(command, cwd=REPOSITORY))


def free_port(first: int) -> int:
    """The first port from ``first`` on that nothing listens to.

    Raises:
        RuntimeError: twenty ports in a row are taken.
    """
    for port in range(first, min(first + 20, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"ports {first} to {first + 19} are taken; choose another with COMPLAINTS_PORT")


def prepare_environment() -> None:
    """Point Dagster at this home, as the Makefile does."""
    home = settings().home
    os.environ.setdefault("DAGSTER_HOME", str(REPOSITORY))
    os.environ.setdefault("COMPLAINTS_DAGSTER_STATE", str(home / "dagster"))
    os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
    Path(os.environ["COMPLAINTS_DAGSTER_STATE"]).mkdir(parents=True, exist_ok=True)


def main() -> None:
    """Entry point: errors are one line that says what, where and what to do."""
    prepare_environment()
    code: int | str | None = 0
    try:
        app()
    except SystemExit as end:
        code = end.code
    except WrongUse as error:
        err.print(f"[bold]complaints:[/bold] {error}", soft_wrap=True, highlight=False)
        code = 2
    except (RuntimeError, OSError) as error:
        err.print(f"[bold]complaints:[/bold] {error}", soft_wrap=True, highlight=False)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Without the interpreter's farewell: native threads of the storage libraries can abort the process in it.
    os._exit(code if isinstance(code, int) else int(bool(code)))


if __name__ == "__main__":
    main()
