"""Repeatable measurements: ``python -m benchmarks.<name>`` prints figures and ratios beside their baselines."""
