"""Complaint Assets: the code location."""

import warnings

# Two beta features are used on purpose, single-run backfills and look-back mappings; the lock pins what they do.
warnings.filterwarnings("ignore", message=".*is currently in beta")
warnings.filterwarnings("ignore", message="Workbook contains no default style")
