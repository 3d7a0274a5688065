"""Sensors: arrivals (landing), restatement (propagation) and alerts. All run by default."""
