"""What surges remember beside the warehouse: the replay, the ledger of what people did, the calendar."""
