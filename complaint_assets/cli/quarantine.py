"""``complaints quarantine``: records that could not be read."""

import sys
from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, show, stores
from complaint_assets.cli.run import failures

app = typer.Typer(no_args_is_help=True, help="Records that could not be read.")


@app.command("list")
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


@app.command("show")
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


@app.command("replay")
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
