"""Layer reports: one self-contained page per role, made of counts alone."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow.compute as pc

from complaint_assets.assets.common import (
    DAILY_FRESHNESS,
    OWNER,
    RETRIES,
    STREAMING_FRESHNESS,
    WAREHOUSE_POOL,
)
from complaint_assets.assets.surges import METRICS, surge_forecast, surge_metrics, surges
from complaint_assets.assets.taxonomy import calibration, emerging_terms
from complaint_assets.assets.warehouse import FACTS, complaint_facts
from complaint_assets.ledger import Ledger, newest_slot_age, newest_slot_end
from complaint_assets.logic.marts.roles import Role
from complaint_assets.logic.report import ReportData, report
from complaint_assets.logic.report.figures import FIGURES, Asking, tiles
from complaint_assets.logic.report.words import PERIODS
from complaint_assets.logic.surges.counts import midnight
from complaint_assets.metrics import load_metrics
from complaint_assets.partitions import STALE_AFTER
from complaint_assets.privacy.erasure import audit_log
from complaint_assets.roles import load_roles
from complaint_assets.schemas.standardised import Quarantine
from complaint_assets.schemas.surges import SurgeForecast, Surges
from complaint_assets.schemas.taxonomy import Calibration, EmergingTerms
from complaint_assets.schemas.types import CHANNELS, arrow_schema
from complaint_assets.surges.calendars import load_calendar
from complaint_assets.surges.ledger import surge_ledger
from complaint_assets.taxonomy import load_rules
from complaint_assets.taxonomy.active import history
from resources.failpoints import failpoint
from resources.settings import settings
from resources.stores import Stores
from resources.warehouse import Warehouse

ACCOUNT = ("slots", "slots_pending", "records_in", "complaints", "non_complaints", "duplicates", "quarantined")
Frames = dict[str, pd.DataFrame]


def end_of(role: Role, as_of: datetime) -> datetime:
    """Where the period of the role's page ends: a whole bucket of it, of days that the role may see."""
    whole = as_of if PERIODS[role.report.over].unit == "h" else midnight(as_of.date())
    return min(whole, role.end(as_of))


def report_data(
    role: Role, stores: Stores, warehouse: Warehouse, accounts: pd.DataFrame, run_id: str
) -> ReportData:
    """What the page of ``role`` tells; of what its sections do not show, nothing is read.

    Args:
        role: whose page it is.
        stores: the lake and its tables.
        warehouse: facts, surge metrics, surges and more.
        accounts: what the checks of conservation found last, see ``conservation``.
        run_id: the run that makes the page.
    """
    made, ledger, home, roles = datetime.now(UTC), Ledger(stores.tables), settings(), load_roles()
    arrivals = ledger.arrivals()
    as_of = newest_slot_end(arrivals)
    end = end_of(role, as_of or made)
    frames: Frames = {"freshness": freshness(arrivals, made)}
    with warehouse.session() as session:
        asking = Asking(
            role=role,
            end=end,
            metrics=load_metrics(),
            facts=warehouse.ibis_table(session, "complaint_facts", FACTS),
            hourly=warehouse.ibis_table(session, "surge_metrics", METRICS),
            closing_hours=roles.closing_hours,
            subscribers=load_calendar(home.calendar).subscribers,
        )
        head, starts = tiles(asking)
        for name in role.report.sections:
            if name in FIGURES:
                frames |= FIGURES[name](asking)
    for name in role.report.sections:
        if name in OTHERS:
            frames |= OTHERS[name](stores, warehouse, asking)
    if "health" in role.report.sections:
        frames["conservation"] = accounts
    return ReportData(
        role=role,
        made=made,
        data_until=as_of,
        end=end,
        tiles=head,
        starts=starts,
        frames=frames,
        provenance=provenance(role, ledger, asking, run_id),
        lineage=f"{home.ui()}/assets/reports/{role.name}?view=lineage" if role.ask else "",
        region_names=region_names(home.country),
    )


def provenance(role: Role, ledger: Ledger, asking: Asking, run_id: str) -> list[tuple[str, str]]:
    """What the page is made from, and how to ask for its figures again."""
    home = settings()
    last = (asking.end - timedelta(microseconds=1)).date()
    told = [
        ("Run", run_id),
        ("Digest of the data", ledger.state()),
        ("Active rules", load_rules(home.country, home.taxonomy).version),
        ("Definitions of metrics", load_metrics().version),
        ("Definitions of roles", load_roles().version),
        ("Period", f"{asking.now.start:%Y-%m-%d %H:%M} to {asking.end:%Y-%m-%d %H:%M} UTC"),
    ]
    days = f"--from {asking.now.start:%Y-%m-%d} --to {last} --role {role.name}"
    if role.ask:
        told.append(("Ask again", f"complaints kpi {role.report.tiles[0]} --by event_date {days}"))
    if role.trace != "no":
        told.append(("Bytes behind it", f"complaints explain {role.report.tiles[0]} {days}"))
    return told


def freshness(arrivals: Sequence[Mapping[str, Any]], now: datetime) -> pd.DataFrame:
    """When each channel was last heard, and how long it may be silent."""
    ages = {channel: newest_slot_age(arrivals, channel, now) for channel in CHANNELS}
    return pd.DataFrame(
        {
            "channel": CHANNELS,
            "newest": pd.Series(
                [now - age if slot else None for slot, age in ages.values()], dtype="datetime64[us, UTC]"
            ),
            "stale_after_hours": [STALE_AFTER[channel] / timedelta(hours=1) for channel in CHANNELS],
        }
    )


def surge_rows(_: Stores, warehouse: Warehouse, asking: Asking) -> Frames:
    """Surges that are open or ended in the time shown, of days that the role may see, with their owners."""
    found = warehouse.read("surges", arrow_schema(Surges)).to_pandas()
    lately = (found["status"] == "open") | (found["last_hour_at"] >= asking.shown.start)
    seen = found[lately & (found["started_at"] < asking.end) & (found["observed"] >= asking.role.small_cell)]
    care = surge_ledger().care() if asking.role.trace != "no" else {}
    owners = [(care[one].owner or care[one].acknowledged_by) if one in care else None for one in seen["surge_id"]]
    return {"surges": seen.assign(owner=pd.Series(owners, index=seen.index, dtype="object"))}


def forecast_rows(_: Stores, warehouse: Warehouse, asking: Asking) -> Frames:
    """What is expected next, for a page by the hour."""
    if asking.over.unit != "h":
        return {}
    rows = warehouse.read("surge_forecast", arrow_schema(SurgeForecast)).to_pandas()
    return {"forecast": rows[rows["category"] == "all"]}


def quarantine_rows(stores: Stores, _: Warehouse, __: Asking) -> Frames:
    """What waits for repair, by reason."""
    reasons = stores.tables.scan("quarantine", arrow_schema(Quarantine), columns=["reason"])["reason"]
    counts = [(row["values"], row["counts"]) for row in pc.value_counts(reasons).to_pylist()]
    return {"quarantine": pd.DataFrame(counts, columns=["reason", "records"])}


def rule_rows(_: Stores, __: Warehouse, ___: Asking) -> Frames:
    """Every change of the active rules; who made it stays in the audit log."""
    rows = [change._asdict() for change in history(settings().taxonomy)]
    return {"changes": pd.DataFrame(rows, columns=["at", "action", "former", "version", "reason"])}


def audit_rows(_: Stores, __: Warehouse, ___: Asking) -> Frames:
    """Entries of the audit log by action.

    Raises:
        TamperedAudit: the log is not what was written.
    """
    found: dict[str, list[datetime]] = defaultdict(list)
    for row in audit_log().rows():
        found[row["action"]].append(datetime.fromisoformat(row["at"]))
    rows = [(action, len(times), max(times)) for action, times in found.items()]
    return {"audit": pd.DataFrame(rows, columns=["action", "rows", "newest"])}


OTHERS: Mapping[str, Callable[[Stores, Warehouse, Asking], Frames]] = {
    "surges": surge_rows,
    "volume": forecast_rows,
    "terms": lambda _, warehouse, __: {
        "terms": warehouse.read("emerging_terms", arrow_schema(EmergingTerms)).to_pandas()
    },
    "agreement": lambda _, warehouse, __: {
        "agreement": warehouse.read("calibration", arrow_schema(Calibration)).to_pandas()
    },
    "health": quarantine_rows,
    "rules": rule_rows,
    "audit": audit_rows,
}
"""What sections are told that no metric tells."""
DEPENDS: Mapping[str, list[dg.AssetsDefinition]] = {
    "surges": [surges],
    "volume": [surge_metrics, surge_forecast],
    "terms": [emerging_terms],
    "agreement": [calibration],
}
"""Assets behind a section, beside the facts."""


def conservation(instance: dg.DagsterInstance) -> pd.DataFrame:
    """What the check of conservation last found, per channel; without rows where it never ran."""
    rows = []
    for channel in CHANNELS:
        key = dg.AssetCheckKey(dg.AssetKey(["raw", channel]), "conservation")
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).get(key)
        found = record.evaluation if record else None
        if record and found and {*ACCOUNT, "difference"} <= found.metadata.keys():
            figures = {name: found.metadata[name].value for name in (*ACCOUNT, "difference")}
            at = datetime.fromtimestamp(record.create_timestamp, UTC)
            rows.append({"channel": channel, "judged_at": at, **figures})
    return pd.DataFrame(rows)


def region_names(country: str) -> dict[str, str]:
    """Names of the subdivisions of ``country`` by ISO 3166-2 code."""
    import pycountry  # slow to import, needed only here

    return {part.code: part.name for part in pycountry.subdivisions.get(country_code=country) or ()}


def build_report(role: Role) -> dg.AssetsDefinition:
    """The page of ``role``: one HTML file, replaced in one step."""
    sections = role.report.sections

    @dg.asset(
        key=["reports", role.name],
        deps=[complaint_facts, *(asset for name in sections for asset in DEPENDS.get(name, ()))],
        group_name="reports",
        owners=[OWNER],
        kinds={"html"},
        tags={"role": role.name, "pii": "none"},
        code_version=f"2-{load_metrics().version}-{load_roles().version}",
        retry_policy=RETRIES,
        freshness_policy=STREAMING_FRESHNESS if role.freshness == "streaming" else DAILY_FRESHNESS,
        pool=WAREHOUSE_POOL,
        description=f"One self-contained page for {role.audience}: no script, no remote part, counts only. "
        f"It shows {', '.join(sections)}.",
    )
    def page(context: dg.AssetExecutionContext, stores: Stores, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        data = report_data(role, stores, warehouse, conservation(context.instance), context.run_id)
        html = report(data)
        path = settings().reports / f"{role.name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(html, encoding="utf-8")
        failpoint("report.written")
        unfinished.replace(path)
        failpoint("report.replaced")
        figures = {tile.metric.name: tile.current for tile in data.tiles if not pd.isna(tile.current)}
        return dg.MaterializeResult(
            metadata={"file": dg.MetadataValue.path(path), "bytes": len(html.encode()), **figures}
        )

    return page


report_assets = [build_report(role) for role in load_roles().roles.values()]
