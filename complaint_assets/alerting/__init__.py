"""The kinds of alert, each with a runbook in ``docs/runbooks/``; ``routes.yaml`` says where they go."""

KINDS = (
    "surge_opened",
    "surge_escalated",
    "surge_resolved",
    "surge_reopened",
    "run_failed",
    "check_failed",
    "asset_stale",
    "quarantine_rate",
    "source_silent",
    "volume_changed",
    "checksum",
    "test",
)
