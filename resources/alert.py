"""What somebody should know: one alert, and the severities it can have."""

import re
from dataclasses import asdict, dataclass
from typing import Any

TEXT_LIMIT = 500
SEVERITIES = ("info", "warn", "error", "critical")
"""From least to worst."""
HIGH = frozenset({"error", "critical"})
"""These wait for no quiet hours, no digest and no rate limit, and can have a second route."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Alert:
    """What somebody should know. Counts and names of assets only: no complaint text, no identifier.

    ``key`` is what it is told once by; the part before the first colon is its kind, which names its runbook.
    ``incident`` joins the alerts of one incident, which can be acknowledged; ``owner`` is whose matter it is.

    Raises:
        ValueError: a text is longer than 500 characters, or the severity is unknown.
    """

    key: str
    severity: str
    title: str
    body: str
    asset: str | None = None
    owner: str | None = None
    incident: str | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None:
                if len(value) > TEXT_LIMIT:
                    raise ValueError(f"alert: {name} is longer than {TEXT_LIMIT} characters")
                object.__setattr__(self, name, _CONTROL.sub(" ", value))
        if self.severity not in SEVERITIES:
            raise ValueError(f"alert: severity must be one of {', '.join(SEVERITIES)}")

    @property
    def kind(self) -> str:
        return self.key.partition(":")[0]

    @property
    def high(self) -> bool:
        return self.severity in HIGH

    def told(self, ui_url: str) -> dict[str, Any]:
        """The alert as machines get it, with the address of its asset's page and the path of its runbook."""
        return {
            **asdict(self),
            "kind": self.kind,
            "link": f"{ui_url}/assets/{self.asset}" if self.asset else ui_url,
            "runbook": f"docs/runbooks/{self.kind}.md",
        }


def count_told(number: float) -> str:
    """``number`` of people or records as an alert may say it: below 5 it is not said."""
    return "fewer than 5" if number < 5 else f"{round(number):,}"
