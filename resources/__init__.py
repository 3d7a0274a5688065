"""Input and output: lake, inbox, tables, warehouse, vault, notifier, settings.

Nothing here imports ``complaint_assets``.
"""
