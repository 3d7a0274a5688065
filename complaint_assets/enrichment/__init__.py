"""Other rules: how they are tried, applied and gone back on, and what complaints were under them."""
