"""``complaints retention``: what has been kept long enough, and its removal."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from complaint_assets.cli.common import AsJson, err, show, stores, warehouse
from resources.settings import settings

app = typer.Typer(no_args_is_help=True, help="What has been kept long enough.")


@app.command("plan")
def retention_plan(
    at: Annotated[
        datetime | None, typer.Option("--at", formats=["%Y-%m-%d"], help="As if it were this day; default: now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what would go, by class of data; nothing is changed."""
    from dagster import DagsterInstance

    from complaint_assets.assets.privacy import POLICY
    from complaint_assets.privacy.erasure import audit_log
    from complaint_assets.privacy.removal import plan

    with DagsterInstance.get() as instance:
        now = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
        what = plan(stores(), instance, POLICY, audit_log(), now)
    show(what.rows(), as_json, f"Retention under {POLICY.jurisdiction} {POLICY.version}")


@app.command("apply")
def retention_apply(
    really: Annotated[
        bool, typer.Option("--really", help="Remove it; without this, only the plan is shown.")
    ] = False,
    at: Annotated[
        datetime | None, typer.Option("--at", formats=["%Y-%m-%d"], help="As if it were this day; default: now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove what has been kept long enough, then bring every asset up to date."""
    from dagster import DagsterInstance

    from complaint_assets.assets.privacy import POLICY
    from complaint_assets.cli.run import publish_everything, run_everything
    from complaint_assets.privacy.erasure import audit_log
    from complaint_assets.privacy.removal import apply, plan

    home, store, log, now = stores(), warehouse(), audit_log(), datetime.now(UTC)
    with DagsterInstance.get() as instance:
        what = plan(home, instance, POLICY, log, now)
        left = apply(home, store, instance, log, what, now) if really else {"uncut": 0}
    if really:
        run_everything(None, quiet=as_json)
        publish_everything()
    show(what.rows(), as_json, "Removed" if really else "Would remove (add --really)")
    if left["uncut"]:
        err.print(f"{left['uncut']} objects with refused records could not be cut: they go with their raw objects")
        raise typer.Exit(1)


@app.command("hold")
def retention_hold(subject: str, as_json: AsJson = False) -> None:
    """Print the keyed hash by which a legal hold of the policy names a subject."""
    from complaint_assets.privacy.erasure import audit_log

    show([{"subject": audit_log().token(subject), "policy": settings().retention}], as_json, "Hold")
