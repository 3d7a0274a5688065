"""Asset checks: models, conservation, drift, freshness, sane surges and customers, rules people agree with."""

from complaint_assets.checks.conservation import conservation_checks
from complaint_assets.checks.drift import drift_checks
from complaint_assets.checks.freshness import freshness_checks
from complaint_assets.checks.model import model_checks
from complaint_assets.checks.subjects import subject_checks
from complaint_assets.checks.surges import surge_checks
from complaint_assets.checks.taxonomy import taxonomy_checks

default_checks = [
    *model_checks,
    *conservation_checks,
    *drift_checks,
    *freshness_checks,
    *surge_checks,
    *subject_checks,
    *taxonomy_checks,
]
