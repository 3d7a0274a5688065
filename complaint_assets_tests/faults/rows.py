"""Every row of the fault table, in the order in which it is printed."""

from complaint_assets_tests.faults import disks, fences, kills, orders, queues, removals, stores, world

__all__ = ["disks", "fences", "kills", "orders", "queues", "removals", "stores", "world"]
