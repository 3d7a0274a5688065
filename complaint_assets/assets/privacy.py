"""Layer privacy: what has been kept long enough goes; who has been erased stays erased."""

from datetime import UTC, datetime

import dagster as dg

from complaint_assets.assets.common import OWNER, WAREHOUSE_POOL
from complaint_assets.assets.standardised import read_object
from complaint_assets.contracts import load_contracts
from complaint_assets.logic.identify import Keys
from complaint_assets.privacy.erasure import audit_log, cut_again, erased_people, objects_of
from complaint_assets.privacy.removal import apply, plan
from complaint_assets.retention import load_policy
from resources.audit import AuditLog
from resources.settings import settings
from resources.stores import Stores
from resources.warehouse import Warehouse

POLICY = load_policy(settings().country, settings().retention)
"""Read with the definitions, so that a policy that contradicts itself lets nothing start."""


@dg.asset(
    group_name="privacy",
    owners=[OWNER],
    kinds={"python"},
    tags={"pii": "none"},
    code_version=POLICY.version,
    pool=WAREHOUSE_POOL,
    description=(
        "Removes what has been kept long enough, as the retention policy of the jurisdiction says; nothing under "
        "legal hold goes. What goes, why and how much is in the audit log."
    ),
)
def retention(context: dg.AssetExecutionContext, stores: Stores, warehouse: Warehouse) -> dg.MaterializeResult:
    """Plan, then remove."""
    now = datetime.now(UTC)
    log = audit_log()
    what = plan(stores, context.instance, POLICY, log, now)
    left = apply(stores, warehouse, context.instance, log, what, now)
    figures = {
        f"{row['data_class']}_{name}": row[name] for row in what.rows() for name in ("parts", "rows", "held")
    }
    return dg.MaterializeResult(metadata={**figures, **left})


@dg.asset(
    group_name="privacy",
    owners=[OWNER],
    kinds={"python"},
    tags={"pii": "none"},
    code_version="1",
    description=(
        "Keeps the erased erased: raw objects that an erasure had replaced and that are back, from a restored "
        "backup, are cut again. Files that arrive again are cut where they are standardised."
    ),
)
def erasure_ledger(stores: Stores) -> dg.MaterializeResult:
    """Apply the ledger to what has come back."""
    log = audit_log()
    found, again = reapply(stores, log)
    finished = stores.lake.finish_removals()
    return dg.MaterializeResult(
        metadata={"people": found, "objects_cut_again": again, "removals_finished": finished}
    )


def reapply(stores: Stores, log: AuditLog) -> tuple[int, int]:
    """Cut again what has come back; return how many identifiers the ledger holds and objects were cut."""
    erased = erased_people(log)
    contracts = load_contracts(settings().contract_folders())
    keys = Keys(stores.vault.secret)
    again = 0
    for item in [item for item in objects_of(stores.lake) if item.sha256 in erased.replaced]:
        contract = contracts.get((item.channel, item.source))
        if contract:
            found = read_object(stores, item, contract, keys, erased).erased
            again += cut_again(stores.lake, item, contract, found, erased)
    return len(erased.until), again


privacy_assets = [retention, erasure_ledger]
