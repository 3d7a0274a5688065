"""Forgetting: erasure of people, and removal of what has been kept long enough."""
