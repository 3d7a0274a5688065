"""``complaints alerts``: what was told, what waits, and whether the routes are sound."""

from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, out, show
from resources.settings import settings

app = typer.Typer(invoke_without_command=True, help="Alerts: what waits for delivery, and the routes.")


def notifier() -> Any:
    from complaint_assets.definitions import default_resources

    return default_resources(settings())["notifier"]


@app.callback()
def alerts(
    context: typer.Context,
    all_alerts: Annotated[bool, typer.Option("--all", help="Delivered ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is not delivered yet, where it waits and why."""
    if context.invoked_subcommand:
        return
    rows = notifier().outbox.overview(everything=all_alerts)
    show(rows, as_json, "Alerts" if all_alerts else "Alerts that are not delivered")


@app.command()
def retry(as_json: AsJson = False) -> None:
    """Try everything that is not delivered again, now; fails if something is left."""
    from complaint_assets.surges.ledger import acknowledged_surges
    from resources.deliver import utc_now

    sender = notifier()
    tried = sender.outbox.retry(utc_now())
    whole = sender.flush(acknowledged_surges())
    show([{"tried_again": tried, "left": sender.outbox.waiting()}], as_json, "Tried again")
    if not whole:
        raise typer.Exit(1)


@app.command()
def check(as_json: AsJson = False) -> None:
    """Check the file of routes and say which of them are in use."""
    from pathlib import Path

    from resources.routes import RoutesError, load_routes

    sender = notifier()
    try:
        table = load_routes(Path(sender.routes))
    except RoutesError as error:
        raise WrongUse(str(error)) from None
    used = sender.in_use(table)
    rows = [
        {"route": name, "kind": route.kind, "shape": route.shape, "in_use": name in used}
        for name, route in table.routes.items()
    ]
    show(rows, as_json, f"Routes of {sender.routes}")


@app.command("test")
def send_test(
    severity: Annotated[str, typer.Option(help="info, warn, error or critical.")] = "info",
    as_json: AsJson = False,
) -> None:
    """Send a test alert along the routes; fails if it was not delivered at once."""
    from resources.alert import SEVERITIES, Alert
    from resources.deliver import utc_now

    if severity not in SEVERITIES:
        raise WrongUse(f"--severity must be one of {', '.join(SEVERITIES)}")
    sender = notifier()
    alert = Alert(
        key=f"test:{utc_now().isoformat()}",
        severity=severity,
        title="Test of the routes",
        body="Nothing is wrong.",
    )
    sender.send(alert)
    rows = [row for row in sender.outbox.overview(everything=True) if row["key"] == alert.key]
    show(rows, as_json, "Test alert")
    if any(row["state"] != "delivered" for row in rows):
        out.print("Not everything is delivered yet (a digest or quiet hours wait): complaints alerts")
        raise typer.Exit(1)
