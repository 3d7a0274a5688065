"""Gathers the figures that the reports show, from the warehouse and the row tables."""
