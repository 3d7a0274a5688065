"""From records to deliveries in canonical columns, by the contract of their source."""
