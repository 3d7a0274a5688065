"""Changes of the active rules: tried on history, applied by whoever answers for it, and gone back on.

A change only moves the pointer: the ledger then finds every event date that other rules have made out of date, and
the propagation sensor or ``complaints run`` rebuilds them.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from complaint_assets.ledger import Ledger
from complaint_assets.logic.enriched.moves import Moves
from complaint_assets.logic.enriched.spread import enrich_spread
from complaint_assets.partitions import chunks
from complaint_assets.privacy.erasure import audit_log
from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.types import arrow_schema
from complaint_assets.taxonomy import BUILT_IN, Rules, compile_rules, load_rules, rule_files
from complaint_assets.taxonomy.active import Change, changing, history, keep, record
from complaint_assets.taxonomy.active import folder_of as kept_in
from complaint_assets.taxonomy.check import ERRORS, check
from resources.failpoints import failpoint
from resources.settings import settings
from resources.tables import Filter, Tables

COMPLAINTS = arrow_schema(Complaints)
APPLY, ROLLBACK = "taxonomy_apply", "taxonomy_rollback"
"""Actions of the audit log."""
TRIALS = "trials"


class RefusedChange(RuntimeError):
    """The rules cannot become the active ones; the message says why and what to do."""


def attempt(
    tables: Tables,
    folder: Path,
    *,
    sample: int | None,
    between: tuple[date | None, date | None],
    examples: int,
    mask: Callable[[str], str],
    heard: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Classify history under the active rules and under those in ``folder``.

    Args:
        tables: the row tables.
        folder: the rule files to try.
        sample: so many complaints, drawn by lot and always the same; None = all.
        between: first and last event date; None = no bound.
        examples: most examples per move between categories.
        mask: the strict profile, as a function of one text.
        heard: told how many complaints have been classified, batch by batch.

    Returns:
        Counts (see ``Moves.counts``), both versions, ``confirm``, and ``examples``: per move some masked texts.
        All but the examples is kept in the home under the digest ``confirm``.

    Raises:
        TaxonomyError: the rules cannot be compiled.
    """
    home = settings()
    active, new = load_rules(home.country, home.taxonomy), compile_rules(folder, home.country)
    first, last = between[0] or date.min, between[1] or date.max
    rows = {row["event_date"]: row.get("rows", 0) for row in Ledger(tables).event_dates()}
    dates = [day for day in rows if first <= day <= last]
    drawn = _drawn(tables, dates, sample)
    moves = Moves(examples)
    texts: dict[str, str | None] = {}
    for group in chunks(dates, rows):
        where: list[Filter] = [("event_date", "in", group), *drawn]
        batch = tables.scan("complaints", COMPLAINTS, where=where)
        moves.add(enrich_spread(batch, active), enrich_spread(batch, new))
        wanted = {one for ids in moves.examples().values() for one in ids}
        texts = {one: text for one, text in texts.items() if one in wanted}
        said = zip(batch["complaint_id"].to_pylist(), batch["text"].to_pylist(), strict=True)
        texts.update((one, text) for one, text in said if one in wanted)
        heard(batch.num_rows)
    trial = {
        "active": active.version,
        "new": new.version,
        "from": str(dates[0]) if dates else None,
        "to": str(dates[-1]) if dates else None,
        **moves.counts(),
    }
    confirm = _digest(trial)
    _keep_trial(home.taxonomy, confirm, trial)
    shown = [
        {"from": old, "to": to, "examples": [mask(text) for one in ids if (text := texts[one])]}
        for (old, to), ids in sorted(moves.examples().items())
    ]
    return {**trial, "examples": shown, "confirm": confirm}


def _drawn(tables: Tables, dates: list[date], sample: int | None) -> list[Filter]:
    """The filter that leaves ``sample`` complaints: ids are keyed hashes, so the least ones are drawn by lot."""
    if sample is None:
        return []
    ids = tables.scan("complaints", COMPLAINTS, columns=["complaint_id"], where=[("event_date", "in", dates)])[
        "complaint_id"
    ]
    ordered = ids.combine_chunks().sort()
    return [("complaint_id", "<=", ordered[min(sample, len(ordered)) - 1].as_py())] if len(ordered) else []


def _digest(trial: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(trial, sort_keys=True).encode()).hexdigest()[:16]


def _keep_trial(home: Path, confirm: str, trial: dict[str, Any]) -> None:
    folder = home / TRIALS
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{confirm}.part"
    unfinished.write_text(json.dumps(trial))
    unfinished.replace(folder / f"{confirm}.json")


def apply(folder: Path, confirm: str, author: str, reason: str) -> Change:
    """Make the rules in ``folder`` the active ones.

    Raises:
        TaxonomyError: the rules cannot be compiled.
        RefusedChange: they were not tried, were changed since, do not do what their examples say, or others
            have become active since they were tried.
    """
    home = settings()
    rules = compile_rules(folder, home.country)
    with changing(home.taxonomy):
        trial = _trial(home.taxonomy, confirm)
        active = load_rules(home.country, home.taxonomy)
        if rules.version == active.version:
            raise RefusedChange(f"{rules.version} is active already")
        if (trial["active"], trial["new"]) != (active.version, rules.version):
            raise RefusedChange(
                f"{confirm} confirms going from {trial['active']} to {trial['new']}, but {active.version} is "
                f"active and {folder} holds {rules.version}: try it again"
            )
        wrong = sorted({finding.rule for finding in check(rules) if finding.kind in ERRORS})
        if wrong:
            raise RefusedChange(f"{', '.join(wrong)}: complaints taxonomy check {folder} says what is wrong")
        _keep(home.taxonomy, active, BUILT_IN)
        _keep(home.taxonomy, rules, folder)
        details = {"confirm": confirm, "complaints": trial["complaints"], "moved": trial["moved"]}
        return _change(APPLY, active.version, rules.version, author, reason, details)


def _trial(home: Path, confirm: str) -> dict[str, Any]:
    file = home / TRIALS / f"{confirm}.json"
    known = confirm.isalnum() and file.exists()
    trial: dict[str, Any] = json.loads(file.read_text()) if known else {}
    if not known or _digest(trial) != confirm:
        raise RefusedChange(
            f"{confirm}: no trial has printed this; complaints taxonomy try prints what to confirm"
        )
    return trial


def _keep(home: Path, rules: Rules, folder: Path) -> None:
    """Keep ``rules``, which lie in ``folder`` unless they are kept already, in the home.

    Raises:
        RefusedChange: somebody has changed the files since they were compiled.
    """
    country = settings().country
    keep(home, rules.version, rule_files(folder, country).values())
    if compile_rules(kept_in(home, rules.version), country).version != rules.version:
        raise RefusedChange(f"{kept_in(home, rules.version)} does not hold {rules.version}: remove it, try again")


def rollback(author: str, reason: str) -> Change:
    """Make the rules active again that the active ones have replaced.

    Raises:
        RefusedChange: no other rules were ever active.
    """
    home = settings()
    with changing(home.taxonomy):
        changes = history(home.taxonomy)
        if not changes:
            raise RefusedChange("no other rules were ever active: there is nothing to go back to")
        former = _former(changes)
        compile_rules(kept_in(home.taxonomy, former), home.country)
        return _change(ROLLBACK, changes[-1].version, former, author, reason, {})


def _former(changes: list[Change]) -> str:
    """The version before the active one; what was gone back on does not count."""
    stack = [changes[0].former]
    for change in changes:
        if change.action == ROLLBACK:
            stack.pop()
        else:
            stack.append(change.version)
    if len(stack) < 2:
        raise RefusedChange(f"{stack[0]} was the first: there is nothing to go back to")
    return stack[-2]


def _change(action: str, former: str, version: str, author: str, reason: str, details: dict[str, Any]) -> Change:
    """Note it in the audit log, then let it hold."""
    at = datetime.now(UTC)
    change = Change(at.isoformat(), action, former, version, author, reason)
    told = {"former": former, "version": version, "author": author, "reason": reason, **details}
    audit_log().append(at, action, told)
    failpoint("taxonomy.audited")
    record(settings().taxonomy, change)
    return change
