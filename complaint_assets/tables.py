"""Which tables there are and where: row tables of the lake, tables of the warehouse, marts of the roles."""

from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.enriched import EnrichedComplaints
from complaint_assets.schemas.marts import (
    AuditRows,
    CustomerFeatures,
    DataScienceComplaints,
    OperationsHourly,
    QuarantineReasons,
    RegulatorMonthly,
    ReportingDaily,
    Restatements,
)
from complaint_assets.schemas.standardised import Drifts, Quarantine, Standardised
from complaint_assets.schemas.subjects import SubjectLinks, Subjects
from complaint_assets.schemas.surges import SurgeBacktest, SurgeForecast, SurgeMetrics, Surges, SurgeTransitions
from complaint_assets.schemas.taxonomy import Calibration, EmergingTerms
from complaint_assets.schemas.types import Table
from complaint_assets.schemas.warehouse import ComplaintFacts

LAKE_TABLES: dict[str, type[Table]] = {
    "standardised": Standardised,
    "quarantine": Quarantine,
    "drift": Drifts,
    "complaints": Complaints,
    "enriched_complaints": EnrichedComplaints,
}
WAREHOUSE_TABLES: dict[str, type[Table]] = {
    "complaint_facts": ComplaintFacts,
    "surge_metrics": SurgeMetrics,
    "surges": Surges,
    "surge_transitions": SurgeTransitions,
    "surge_forecast": SurgeForecast,
    "surge_backtest": SurgeBacktest,
    "customer_features": CustomerFeatures,
    "subject_links": SubjectLinks,
    "subjects": Subjects,
    "emerging_terms": EmergingTerms,
    "calibration": Calibration,
}
MART_TABLES: dict[str, dict[str, type[Table]]] = {
    "operations": {"complaints_hourly": OperationsHourly, "surges": Surges, "surge_forecast": SurgeForecast},
    "reporting": {"complaints_daily": ReportingDaily, "restatements": Restatements},
    "data_science": {
        "complaints": DataScienceComplaints,
        "customer_features": CustomerFeatures,
        "subjects": Subjects,
    },
    "privacy": {"audit": AuditRows, "quarantine": QuarantineReasons},
    "regulator": {"complaints_monthly": RegulatorMonthly},
}
"""The model of every table that ``roles.yaml`` publishes, by role."""
