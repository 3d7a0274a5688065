"""Routes: where which alert goes and when, as a checked YAML file. No address and no credential is in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from resources.alert import Alert
from resources.yaml_file import UnfitFile, read_yaml

SCHEMA = Path(__file__).with_name("routes.schema.json")
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
SECOND_AFTER_MINUTES = 5


class RoutesError(UnfitFile):
    """The file of routes is wrong; the message names the file and the key at fault."""


@dataclass(frozen=True)
class Quiet:
    """Hours of the day, local to ``zone``, from ``begin`` to ``end``; over midnight if ``end`` is earlier."""

    begin: time
    end: time
    zone: ZoneInfo

    def until(self, at: datetime) -> datetime:
        """``at``, or the end of the quiet hours it lies in."""
        local = at.astimezone(self.zone)
        clock = local.time()
        over_midnight = self.end <= self.begin
        inside = (clock >= self.begin or clock < self.end) if over_midnight else self.begin <= clock < self.end
        if not inside:
            return at
        day = local.date() + timedelta(days=over_midnight and clock >= self.begin)
        return datetime.combine(day, self.end, self.zone).astimezone(UTC)


@dataclass(frozen=True)
class Route:
    """One way to somebody. ``most`` messages (None = no limit) in ``window``."""

    name: str
    kind: str
    shape: str
    url_env: str | None
    key_env: str | None
    optional: bool
    sender: str
    recipients: tuple[str, ...]
    most: int | None
    window: timedelta
    quiet: Quiet | None
    digest: timedelta | None

    @property
    def gathers(self) -> bool:
        """Whether low severities come together in one message."""
        return self.quiet is not None or self.digest is not None

    def due(self, alert: Alert, at: datetime) -> datetime:
        """When ``alert``, stored ``at``, may go this way."""
        if alert.high:
            return at
        if self.digest:
            seconds = self.digest.total_seconds()
            at = datetime.fromtimestamp((at.timestamp() // seconds + 1) * seconds, UTC)
        return self.quiet.until(at) if self.quiet else at

    def in_use(self, variables: Mapping[str, str]) -> bool:
        names = [name for name in (self.url_env, self.key_env) if name]
        return not self.optional or all(variables.get(name) for name in names)


@dataclass(frozen=True)
class Rule:
    """Which alerts go to the routes ``to``, and ``after`` how long to ``second``; None fits all."""

    owners: frozenset[str] | None
    severities: frozenset[str] | None
    kinds: frozenset[str] | None
    to: tuple[str, ...]
    second: tuple[str, ...]
    after: timedelta

    def fits(self, alert: Alert) -> bool:
        return all(
            wanted is None or value in wanted
            for wanted, value in (
                (self.owners, alert.owner),
                (self.severities, alert.severity),
                (self.kinds, alert.kind),
            )
        )


@dataclass(frozen=True)
class Routes:
    """All routes by name, and the rules."""

    routes: Mapping[str, Route]
    rules: tuple[Rule, ...]


def load_routes(path: Path) -> Routes:
    """The routes in ``path``.

    Raises:
        RoutesError: it cannot be read, breaks the JSON Schema, or a rule names a route that is not there.
    """
    try:
        return _load(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise RoutesError(f"{path}: not readable: {type(error).__name__} (COMPLAINTS_ROUTES)") from None


@lru_cache(maxsize=4)
def _load(path: Path, _: int) -> Routes:
    # No value is quoted: somebody may have put a secret there.
    data = read_yaml(path, SCHEMA, RoutesError, told=_said)
    for n, rule in enumerate(data["rules"]):
        for name in ("to", "second"):
            strangers = set(rule.get(name, ())) - set(data["routes"])
            if strangers:
                raise RoutesError(f"{path}: rules[{n}].{name}: no such route: {', '.join(sorted(strangers))}")
    routes = {name: _route(path, name, said) for name, said in data["routes"].items()}
    return Routes(routes, tuple(_rule(said) for said in data["rules"]))


def _said(fault: Any) -> str:
    if fault.validator in ("additionalProperties", "required", "minProperties", "propertyNames"):
        return str(fault.message)
    if fault.validator is None:  # the schema says: never here
        return "not for a route of this kind and shape"
    return f"must fit {fault.validator}: {json.dumps(fault.validator_value)}"


def _route(path: Path, name: str, said: Mapping[str, Any]) -> Route:
    rate = said.get("rate", {})
    quiet = None
    if hours := said.get("quiet"):
        try:
            zone = ZoneInfo(hours["time_zone"])
        except (OSError, ValueError, KeyError):
            raise RoutesError(f"{path}: routes.{name}.quiet.time_zone: no such time zone") from None
        quiet = Quiet(time.fromisoformat(hours["from"]), time.fromisoformat(hours["to"]), zone)
    return Route(
        name=name,
        kind=said["kind"],
        shape=said.get("shape", "generic"),
        url_env=said.get("url_env"),
        key_env=said.get("key_env"),
        optional=said.get("optional", False),
        sender=said.get("from", ""),
        recipients=tuple(said.get("to", ())),
        most=rate.get("most"),
        window=timedelta(minutes=rate.get("minutes", 0)),
        quiet=quiet,
        digest=timedelta(minutes=said["digest_minutes"]) if "digest_minutes" in said else None,
    )


def _rule(said: Mapping[str, Any]) -> Rule:
    def wanted(name: str) -> frozenset[str] | None:
        return frozenset(said[name]) if name in said else None

    return Rule(
        wanted("owner"),
        wanted("severity"),
        wanted("kind"),
        tuple(said["to"]),
        tuple(said.get("second", ())),
        timedelta(minutes=said.get("second_after_minutes", SECOND_AFTER_MINUTES)),
    )
