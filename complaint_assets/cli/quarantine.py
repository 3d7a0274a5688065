"""``complaints quarantine``: records that could not be read."""

from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, show, stores
from complaint_assets.cli.run import failures
from complaint_assets.cli.show import print_original
from resources.settings import settings

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
        print_original(found[0], quarantine_id)
        return
    show(found, as_json)


@app.command("replay")
def quarantine_replay(
    channel: Annotated[str, typer.Argument(help="Channel whose refused records and held files are read again.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Also what was refused by a contract of today's version.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read again the slots with records that an older version of their contract refused, and files it held.

    Raise the version of a contract when you mend it. What follows from the records is brought up to date by
    complaints run.
    """
    from dagster import DagsterInstance

    from complaint_assets.automation import ingest_runs
    from complaint_assets.contracts import load_contracts
    from complaint_assets.definitions import defs
    from complaint_assets.schemas.types import CHANNELS

    if channel not in CHANNELS:
        raise WrongUse(f"{channel} is no channel; there are {', '.join(CHANNELS)}")
    contracts = load_contracts(settings().contract_folders())
    before = quarantine_rows(channel)
    slots = {
        row["slot"]
        for row in before
        if everything
        or ((known := contracts.get((channel, row["source"]))) and known.version != row["contract_version"])
    }
    with DagsterInstance.get() as instance:
        for planned in ingest_runs(channel, sorted(slots), []):
            result = defs.resolve_job_def(planned.job).execute_in_process(
                instance=instance, tags=planned.tags, raise_on_error=False
            )
            if not result.success:
                raise RuntimeError(f"run {result.run_id} of {planned.job} failed: {failures(result)}")
    after = quarantine_rows(channel) if slots else before
    row = {"channel": channel, "slots": len(slots), "before": len(before), "after": len(after)}
    show([row], as_json, "Replayed")
