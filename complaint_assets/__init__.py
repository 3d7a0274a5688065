"""The code location: everything that knows Dagster, and the pure logic that does not."""
