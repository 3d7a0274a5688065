"""From facts to counts, expected values and incidents."""
