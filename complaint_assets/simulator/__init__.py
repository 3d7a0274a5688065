"""Realistic traffic of nine sources, with outages and every kind of dirt, for the demo, load tests and benchmarks.

What belongs here: invented customers, what they write, when, and how each source delivers it. The simulator
knows the native formats only; it does not read contracts, and nothing of the pipeline knows of it.
"""

from .run import Counts, Summary, simulate
from .traffic import Outage

__all__ = ["Counts", "Outage", "Summary", "simulate"]
