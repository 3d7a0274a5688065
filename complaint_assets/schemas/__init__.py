"""Pandera models: the one definition of every table. One module per layer."""
