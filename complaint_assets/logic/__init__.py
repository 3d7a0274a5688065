"""Pure functions over Arrow batches and plain values: no Dagster, no input or output.

A folder holds the work of one layer; what several of them share lies beside the folders and imports none.
"""
