"""Pure functions over Arrow batches and plain values: no Dagster, no input or output."""
