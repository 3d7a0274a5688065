"""``python -m complaint_assets.cli``."""

from complaint_assets.cli import main

main()
