"""Runs whose process is gone: Dagster would show them as started for ever, and hold their places.

A run tells its process id in its event log. Its process is dead if this host has no such process, if it is a
zombie, or if it was started after the run: then the number has been given to another.
"""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

HOST = "complaints/host"
"""Run tag: the host on which the run was asked for; a run of another host is left to that host."""
UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
CLOCK_SLACK_SECONDS = 5.0


def host() -> str:
    """Name of this host."""
    return socket.gethostname()


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Fail every run whose process is gone and free its places; return their ids."""
    closed = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        run = record.dagster_run
        process = process_of(instance, run.run_id)
        if run.tags.get(HOST, host()) != host() or process is None or is_alive(*process):
            continue
        instance.report_run_failed(run, f"Its process {process[0]} is gone; the next run makes good what it left.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        closed.append(run.run_id)
    return closed


def process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """The process that last said it works on the run, and when; None if none has."""
    for entry in reversed(instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is not None:
            return int(str(pid.value)), entry.timestamp
    return None


def is_alive(pid: int, at: float) -> bool:
    """Whether the process ``pid`` that ran at ``at`` (seconds since 1970) still runs."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():  # no Linux: a number given to another is not told apart
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True
    try:
        # After the name, which can hold anything, in brackets: state is field 3, start time field 22.
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK") + boot_time()
    return fields[0] not in "ZX" and started < at + CLOCK_SLACK_SECONDS


def boot_time() -> float:
    """When this machine started, in seconds since 1970."""
    up = float(Path("/proc/uptime").read_text().split()[0])
    return datetime.now(UTC).timestamp() - up
