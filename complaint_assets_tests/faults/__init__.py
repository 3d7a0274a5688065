"""The product under faults: kills, pauses, takeovers, contention, damage. ``python -m`` runs the whole table."""
