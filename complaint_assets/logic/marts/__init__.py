"""From facts to the numbers that people see: metrics, roles, features, tables for regulators."""
