"""``complaints erase``: a person out of everything that is stored, and the proof of it."""

import os
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from rich.progress import Progress

from complaint_assets.cli.common import AsJson, WrongUse, err, show, stores, warehouse
from complaint_assets.cli.customers import TABLE as PROBABLE_LINKS
from complaint_assets.cli.customers import probable_pairs, store_links
from resources.settings import settings

app = typer.Typer()

TABLES = (
    "standardised",
    "quarantine",
    "drift",
    "complaints",
    "enriched_complaints",
    "classifications",
    "labels",
    PROBABLE_LINKS,
    "intake",
    "builds",
)
REASONS_SHOWN = 20


@app.command()
def erase(
    identifier: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND:VALUE (phone, email, account, handle, platform_id); - reads lines from the input."
        ),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Pseudonym of the customer; - reads it from the input.")
    ] = None,
    source: Annotated[
        str, typer.Option(help="CHANNEL/SOURCE (or register) of the account, handle or platform_id.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    operator: Annotated[str, typer.Option(help="Who answers for it; default: the user of this session.")] = "",
    as_json: AsJson = False,
) -> None:
    """Erase a person everywhere, keep them erased, and prove it by reading every byte.

    Stop the daemon first: with runs under way nothing is done. Prefer "--identifier -" (or a prompt): what is
    typed on the command line stays in the history of the shell.
    """
    spelt = _read(identifier or [], "Identifier (KIND:VALUE)") if identifier else []
    named = _read([subject], "Subject")[0] if subject else None
    if not spelt and not named:
        raise WrongUse("name the person: --identifier KIND:VALUE, --identifier - or --subject ID")
    who = operator or os.environ.get("USER") or str(os.getuid())
    result = Erasure(spelt, named, source).run(who, dry_run=dry_run, quiet=as_json)
    show([result], as_json, "Would erase" if dry_run else "Erased")
    if result["left"]:
        for place in result["places_left"]:
            err.print(f"still found in {place}", soft_wrap=True, highlight=False)
        raise typer.Exit(1)


def _read(values: Sequence[str], question: str) -> list[str]:
    """``values``, with ``-`` replaced by what is typed or piped in."""
    if "-" not in values:
        return list(values)
    given = typer.prompt(question, hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    lines = [line.strip() for line in given.splitlines() if line.strip()]
    if not lines:
        raise WrongUse("nothing was given on the input")
    return [value for value in values if value != "-"] + lines


class Erasure:
    """One request: whom it concerns, and the steps in their order."""

    def __init__(self, spelt: Sequence[str], subject: str | None, source: str) -> None:
        from complaint_assets.assets.standardised import read_object
        from complaint_assets.contracts import load_contracts
        from complaint_assets.logic.identify import Keys
        from complaint_assets.logic.privacy.erasure import Erased, Markers, mark_of
        from complaint_assets.privacy.erasure import audit_log, same_person

        self.stores = stores()
        self.log = audit_log()
        self.contracts = load_contracts(settings().contract_folders())
        vault = self.stores.vault
        named = [subject] if subject else []
        self.marks = identify(spelt, source)
        known = [vault.find(mark.kind, mark.registered) for mark in self.marks]
        self.subjects = sorted(
            same_person(self.stores.tables, [one for one in (*known, *named) if one], settings().link_most)
        )
        behind = [mark_of(*value) for one in self.subjects for value in vault.values(one)]
        self.marks = list(dict.fromkeys([*self.marks, *behind]))
        if not self.marks:
            raise WrongUse("the vault knows no such subject; was it erased before? complaints audit list")
        self.markers = Markers(self.marks, self.subjects)
        self.tokens = sorted(self.log.token(mark.identity) for mark in self.marks)
        everybody = Erased(self.log.token, dict.fromkeys(self.tokens, datetime.now(UTC)))
        self.read = partial(_read_object, read_object, self.stores, Keys(vault.secret), everybody)

    def run(self, operator: str, *, dry_run: bool, quiet: bool) -> dict[str, Any]:
        """Do it, or say what would be done."""
        from complaint_assets.cli.run import run_everything
        from complaint_assets.privacy.erasure import ERASE, ERASED, cut_all, find
        from resources.publish import forget_versions

        lake, tables = self.stores.lake, self.stores.tables
        if not dry_run:
            _refuse_while_running()
            self._take_in_messages()
        before = self._versions()
        request = secrets.token_hex(8)
        with Progress(console=err, disable=quiet) as progress:
            task = progress.add_task("look through the lake", total=None)
            affected = list(find(lake, self.contracts, self.read, self.markers))
            records = sum(len(one.doomed) for one in affected)
            result: dict[str, Any] = {
                "request": request,
                "identifiers": len(self.marks),
                "raw_objects": len(affected),
                "raw_records": records,
                "rows": self._rows(),
            }
            if dry_run:
                return {**result, "left": 0}
            self.log.append(
                datetime.now(UTC),
                ERASE,
                {
                    "request": request,
                    "operator": operator,
                    "identifiers": self.tokens,
                    "replaced": sorted(one.item.sha256 for one in affected),
                },
            )
            progress.update(task, description="cut the lake", total=len(affected) or 1)
            for one in self.subjects:
                self.stores.vault.forget(one)
            cut_all(lake, affected, self.markers, lambda number: progress.update(task, completed=number))
        messages = self._forget_messages()
        run_everything(None, quiet=quiet)
        self._forget_links()
        files = sum(tables.purge(name) for name in TABLES)
        warehouse().rewrite()
        files += forget_versions(settings().marts)
        left = self.scan()
        result |= {
            "messages_removed": messages,
            "files_removed": files,
            "left": sum(left.values()),
            "rows_left": sum(self._rows().values()),
        }
        self.log.append(
            datetime.now(UTC),
            ERASED,
            {
                **result,
                "operator": operator,
                "subjects": [self.log.token(one) for one in self.subjects],
                "versions_before": before,
                "versions_after": self._versions(),
                "places_left": len(left),
            },
        )
        return {**result, "places_left": [self._without_marker(place) for place in left][:REASONS_SHOWN]}

    def _take_in_messages(self) -> None:
        """Everything that waits in the queue into the lake, where it is looked at like the rest."""
        from complaint_assets.capture.drain import drain
        from complaint_assets.schemas.types import CHANNELS

        for channel in CHANNELS if self.stores.queue else ():
            drain(self.stores.queue, self.stores.lake, channel, self.contracts)

    def _forget_messages(self) -> int:
        """Remove what cannot be taken in (dead letters, messages of unknown sources) and tells of the person."""
        from complaint_assets.schemas.types import CHANNELS

        queue = self.stores.queue
        return sum(queue.forget(channel, self.markers.count) for channel in CHANNELS) if queue else 0

    def _forget_links(self) -> None:
        """Store the pairs of others only: a delete would be quoted, pseudonyms and all, in the table's log."""
        import pyarrow as pa

        links = probable_pairs(self.stores.tables)
        others = links.filter(pa.array([not self._concerns(pair) for pair in links.to_pylist()], pa.bool_()))
        if others.num_rows < links.num_rows:
            store_links(self.stores.tables, others)

    def _concerns(self, pair: dict[str, Any]) -> bool:
        return pair["left"] in self.subjects or pair["right"] in self.subjects

    def scan(self) -> dict[str, int]:
        """Where markers are left, under every root of this home."""
        from resources.scan import count_in, scan

        home = settings()
        roots = [str(home.home), home.lake_url(), home.inbox_url(), os.environ["COMPLAINTS_DAGSTER_STATE"]]
        outside = [
            root
            for root in dict.fromkeys(roots)
            if root == roots[0] or not root.startswith(roots[0].rstrip("/") + "/")
        ]
        found = scan(outside, self.markers.count)
        queue = home.queue_url()
        for path in (Path(queue), Path(queue + "-wal")):
            if path.is_file() and not path.is_relative_to(roots[0]):
                with path.open("rb") as stream:
                    found[str(path)] = count_in(stream, self.markers.count)
        return {place: count for place, count in found.items() if count}

    def _without_marker(self, place: str) -> str:
        return self.markers.redact(place.encode()).decode()

    def _versions(self) -> dict[str, int]:
        return {name: self.stores.tables.version(name) for name in TABLES}

    def _rows(self) -> dict[str, int]:
        """Rows of the person per table."""
        from complaint_assets.schemas.types import arrow_schema
        from complaint_assets.tables import LAKE_TABLES

        scan = self.stores.tables.scan
        rows = {}
        for name, model in LAKE_TABLES.items():
            schema = arrow_schema(model)
            column = next((c for c in ("subject_id", "author_ref") if c in schema.names), None)
            if column:
                where = [(column, "in", self.subjects)]
                rows[name] = scan(name, schema, columns=[column], where=where).num_rows
            if "subject_refs" in schema.names:  # declared beside somebody else's
                beside = [("subject_refs", "longer than", 0)]
                refs = scan(name, schema, columns=[column, "subject_refs"], where=beside).to_pylist()
                rows[name] += sum(
                    row[column] not in self.subjects
                    and any(ref.rpartition(":")[2] in self.subjects for ref in row["subject_refs"])
                    for row in refs
                )
        return rows | {PROBABLE_LINKS: sum(map(self._concerns, probable_pairs(self.stores.tables).to_pylist()))}


def identify(spelt: Sequence[str], source: str) -> list[Any]:
    """The identifiers in their normal form.

    Raises:
        WrongUse: an identifier is none, or needs its source.
    """
    from complaint_assets.logic.identify import IdentifierKind
    from complaint_assets.logic.privacy.erasure import GLOBAL_KINDS
    from complaint_assets.privacy.erasure import given

    kinds = get_args(IdentifierKind)
    found = []
    for number, one in enumerate(spelt, start=1):
        kind, _, value = one.partition(":")
        if kind not in kinds or not value:
            raise WrongUse(f"identifier {number} must be KIND:VALUE with one of {', '.join(kinds)}")
        if kind not in GLOBAL_KINDS and not source:
            raise WrongUse(f"a {kind} means a person only within its source: add --source CHANNEL/SOURCE")
        known = given(cast("IdentifierKind", kind), value, source)
        if known is None:
            raise WrongUse(f"identifier {number} is no {kind} as dialled or written in {settings().country}")
        found.append(known)
    return found


def _read_object(read: Any, stores: Any, keys: Any, erased: Any, item: Any, contract: Any) -> Any:
    return read(stores, item, contract, keys, erased)


def _refuse_while_running() -> None:
    """Purging removes what a run under way has not committed yet.

    Raises:
        RuntimeError: runs are queued or under way.
    """
    from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

    active = [
        DagsterRunStatus.QUEUED,
        DagsterRunStatus.NOT_STARTED,
        DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED,
        DagsterRunStatus.CANCELING,
    ]
    with DagsterInstance.get() as instance:
        count = instance.get_runs_count(RunsFilter(statuses=active))
    if count:
        raise RuntimeError(f"{count} runs are queued or under way: stop the daemon, let them end, then erase")
