"""What has been built from what: the ledger that tells which partitions are out of date."""

from .types import Date, Integer, String, Table, column

LAYERS = ("complaints", "enriched_complaints", "complaint_facts", "surge_metrics")
"""Layers partitioned by event date, in the order in which they are built."""


class Builds(Table):
    """One row per layer and event date: digests of what was read and what was written."""

    layer: String = column("Asset.", isin=LAYERS)
    event_date: Date = column("Partition.")
    inputs_digest: String = column("Digest of everything the partition was built from.")
    output_digest: String = column("Digest of the rows written.")
    rows: Integer = column("Rows written.", ge=0)
