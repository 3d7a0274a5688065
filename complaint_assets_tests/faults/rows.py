"""Every row of the fault table, in the order in which it is printed."""

from complaint_assets_tests.faults import fences, kills, orders, stores

__all__ = ["fences", "kills", "orders", "stores"]
