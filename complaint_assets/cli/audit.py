"""``complaints audit``: what was done to people's data, and whether the record of it is whole."""

from typing import Annotated

import typer

from complaint_assets.cli.common import AsJson, show

app = typer.Typer(no_args_is_help=True, help="The audit log of erasure, retention and changes of the rules.")


@app.command("list")
def audit_list(
    action: Annotated[str | None, typer.Option(help="Only this action, such as erased.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the rows of the audit log, verified."""
    from complaint_assets.privacy.erasure import audit_log

    rows = [
        {"number": r["number"], "at": r["at"], "action": r["action"], "details": r["details"]}
        for r in audit_log().rows(action)
    ]
    show(rows, as_json, "Audit log")


@app.command("verify")
def audit_verify(as_json: AsJson = False) -> None:
    """Prove that no row was edited, removed, moved or added; fails and names the first one that was."""
    from complaint_assets.privacy.erasure import audit_log

    rows = audit_log().rows()
    show([{"rows": len(rows), "whole": True, "last": rows[-1]["digest"] if rows else None}], as_json, "Audit log")
