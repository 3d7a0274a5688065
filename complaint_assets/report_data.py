"""Gathers the figures that the reports show, from the warehouse and the row tables."""

from collections.abc import Callable

import ibis
import pandas as pd
import pyarrow as pa

from complaint_assets.assets.complaints import COMPLAINTS
from complaint_assets.assets.warehouse import FACTS
from complaint_assets.ledger import Ledger
from complaint_assets.logic.report import OperationsData, ReportingData
from complaint_assets.schemas.standardised import Quarantine
from complaint_assets.schemas.surges import SurgeForecast, SurgeMetrics, Surges
from complaint_assets.schemas.types import arrow_schema
from resources.stores import Stores
from resources.warehouse import Warehouse
