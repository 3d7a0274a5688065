"""From the bytes of a raw object to records, and records cut out of it again."""
