"""``make faults``: the whole fault table, or the rows that are named."""

from typing import Annotated

import typer

from complaint_assets_tests.faults import lab
from complaint_assets_tests.faults.table import ROWS, attempt, publish


def main(
    keys: Annotated[list[str] | None, typer.Argument(help="Rows; default: all.")] = None,
    trials: Annotated[int | None, typer.Option(help="Trials of each row; default: as many as it names.")] = None,
    write: Annotated[bool, typer.Option(help="Write docs/reliability.md and .json.")] = True,
) -> None:
    """Try every fault and print what became of it."""
    lab.warm()
    import complaint_assets_tests.faults.rows  # noqa: F401

    results = []
    for one in [ROWS[key] for key in keys or ROWS]:
        with lab.workshop() as folder:
            result = attempt(one, folder / "row", one.trials if trials is None else trials)
        results.append(result)
        if write:
            publish([result])
        typer.echo(
            f"{'green' if result['passed'] else 'RED  '} {one.key:<28} {result['trials']:>8} trials  "
            f"lost {result['lost']}  dup {result['duplicated']}  other digest {result['digests_differ']}  "
            f"torn {result['torn']}/{result['looks']}  recovery {result['recovery_seconds']} s  "
            f"({result['cpu_seconds']} CPU s)  {one.fault}"
        )
        for problem in result["problems"][:20]:
            typer.echo(f"      {problem}")
    raise typer.Exit(0 if all(result["passed"] for result in results) else 1)


typer.run(main)
