"""``complaints run``: everything that is pending, in this process."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from complaint_assets.cli.common import AsJson, WrongUse, err, show, stores

app = typer.Typer()

MOST_ROUNDS = 10
"""Rounds of rebuilding after which ``run`` gives up: dates, baselines and publication take three."""


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
    from complaint_assets.orphans import close_dead_runs
    from complaint_assets.partitions import slot_at
    from complaint_assets.schemas.types import CHANNELS

    home = stores()
    ledger = Ledger(home.tables)
    done: list[dict[str, Any]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with DagsterInstance.get() as instance, Progress(*columns, console=err, disable=quiet) as progress:
        close_dead_runs(instance)

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
            if home.queue and home.queue.depth(channel).waiting:
                slots.add(slot_at(channel, datetime.now(UTC)))
            execute(
                ingest_runs(channel, sorted(slots), [arrival_mark(a) for a in arrivals]),
                f"take in {channel}",
            )
            # Messages that had waited lie in the slots in which they were sent.
            execute(ingest_runs(channel, ledger.stale_slots(home.lake, channel), []), f"take in {channel}, pushed")
        if forced:
            first, last = (day.isoformat() for day in forced)
            execute([PlannedRun("build", first, last)], "rebuild")
        for _ in range(MOST_ROUNDS):
            runs = build_runs(home, instance)
            if not runs:
                return done
            execute(runs, {"publish": "publish", "restate_metrics": "restate metrics"}.get(runs[0].job, "build"))
    raise RuntimeError(f"event dates are still pending after {MOST_ROUNDS} rounds: complaints status shows them")


def publish_everything() -> None:
    """Publish every mart and write every report, whether or not anything was restated.

    Raises:
        RuntimeError: the run failed; its id is named.
    """
    run_job("publish")


def run_job(name: str) -> None:
    """Execute a job without partitions in this process.

    Raises:
        RuntimeError: the run failed; its id is named.
    """
    from dagster import DagsterInstance

    from complaint_assets.definitions import defs

    with DagsterInstance.get() as instance:
        result = defs.resolve_job_def(name).execute_in_process(
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
    if not result.success:
        raise RuntimeError(
            f"run {result.run_id} of {name} failed: {failures(result)}. See it in the UI (make dev)."
        )


def failures(result: Any) -> str:
    """Which steps and checks failed, without what they say."""
    steps = [event.step_key for event in result.all_events if event.is_step_failure]
    return ", ".join(dict.fromkeys(str(step) for step in steps)) or "before its first step"
