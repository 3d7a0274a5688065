"""Every setting, once: read from the environment (``COMPLAINTS_*``) and from ``.env``."""

import hashlib
import os
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, TypeAdapter, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT_ROUTES = REPOSITORY / "complaint_assets" / "alerting" / "routes.yaml"


class Settings(BaseSettings):
    """Where things are, which environment this is, and how often the clocks tick."""

    model_config = SettingsConfigDict(
        env_prefix="COMPLAINTS_", env_file=REPOSITORY / ".env", extra="ignore", frozen=True
    )

    home: Path = Field(
        default=REPOSITORY / ".home",
        description="Folder of the standing home: lake, tables, warehouse, marts, reports.",
    )
    env: Literal["dev", "test", "prod"] = Field(default="dev", description="Environment.")
    key: SecretStr = Field(
        default=SecretStr(""),
        description="Master key of all pseudonyms, at least 32 characters; required in prod.",
    )
    key_new: SecretStr = Field(
        default=SecretStr(""), description="The key to which `complaints keys rotate` moves the vault."
    )
    vault: str = Field(
        default="",
        description="Folder of the vault, which leads from subjects back to identifiers. Default HOME/vault.",
    )
    repeat_hours: int = Field(
        default=24, ge=1, le=24, description="How soon after a contact the same matter is a repeat of it."
    )
    link_most: int = Field(
        default=5, ge=1, description="An identifier declared beside more others than this links nobody."
    )
    link_alarm: int = Field(
        default=20, ge=2, description="A check warns of customers with more linked identifiers than this."
    )
    link_probable: bool = Field(
        default=False, description="Whether subjects may be linked by the likeness of names, in a table apart."
    )
    audit_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of audit log and erasure ledger, never rotated; derived from the vault unless set.",
    )
    audit_head: str = Field(
        default="",
        description="File with the head of the audit log, best on another volume. Default HOME/audit.head.",
    )
    contracts: str = Field(
        default="", description="More contract folders, separated as in PATH, beside the built-in ones."
    )
    brands: str = Field(
        default="", description="The company's own handles, separated by commas: they stay in texts."
    )
    vocabulary: str = Field(
        default="", description="More folders of approved words for strict masking, separated as in PATH."
    )
    retention: Path | None = Field(
        default=None,
        description="Retention policy with legal holds, instead of the built-in one of the country.",
    )
    kappa_least: float = Field(
        default=0.6, ge=-1, le=1, description="A check fails when people and rules agree less (Cohen's kappa)."
    )
    kappa_drop: float = Field(
        default=0.05, ge=0, le=2, description="A check warns when rules lose more kappa than this against former."
    )
    lake: str = Field(default="", description="Raw lake: folder or s3://bucket/prefix. Default HOME/lake.")
    inbox: str = Field(default="", description="Drop folder or s3://bucket/prefix. Default HOME/inbox.")
    queue: str = Field(
        default="",
        description="Queue of pushed messages: file of the embedded spool, or sqs://NAME. Default HOME/queue.db.",
    )
    receiver_secrets: SecretStr = Field(
        default=SecretStr("{}"),
        description='Secrets that sign pushed events, as JSON: {"whatsapp/cloud_api": "..."}.',
    )
    verify_token: SecretStr = Field(
        default=SecretStr(""), description="Token of WhatsApp's verification handshake."
    )
    receiver_rate: int = Field(
        default=200, ge=1, description="Events per second that the receiver takes from one source."
    )
    api_tokens: SecretStr = Field(
        default=SecretStr("{}"), description='Token of each role in the HTTP API, as JSON: {"reporting": "..."}.'
    )
    disk_reserve_mb: int = Field(
        default=512, ge=0, description="Free disk (MB) under which the receiver takes nothing in."
    )
    country: str = Field(
        default="NG", pattern="^[A-Z]{2}$", description="ISO 3166-1 country that the telecom serves."
    )
    first_event_date: date = Field(
        default=date(2013, 1, 1), description="First event date; older records are quarantined."
    )
    first_slot: date = Field(default=date(2026, 1, 1), description="First day that has slots.")
    micro_batch_minutes: int = Field(
        default=15, ge=1, le=60, description="How often the streaming channels are looked at."
    )
    sensor_seconds: int = Field(default=30, ge=5, le=3600, description="How often the other sensors look.")
    calendar: Path | None = Field(
        default=None, description="YAML file of holidays and subscribers by region, for surges."
    )
    postgres: SecretStr = Field(
        default=SecretStr(""), description="URL of a Postgres server to which marts are published too."
    )
    webhook: str = Field(default="", description="Alerts are also posted to this URL.")
    routes: Path = Field(
        default=DEFAULT_ROUTES, description="YAML file of alert routes, instead of the built-in one."
    )
    ui_url: str = Field(
        default="", description="Address of the UI, to which alerts link. Default: loopback at the port."
    )
    quarantine_alarm: float = Field(
        default=0.05, gt=0, le=1, description="Share of a channel's records in quarantine that is told."
    )
    port: int = Field(default=3000, ge=1, le=65535, description="First port tried for the UI, on loopback.")

    @model_validator(mode="after")
    def _production_has_a_key(self) -> Self:
        secret = self.key.get_secret_value()
        if self.env == "prod" and len(secret) < 32:
            raise ValueError("COMPLAINTS_KEY must hold at least 32 characters when COMPLAINTS_ENV=prod")
        if 0 < len(self.key_new.get_secret_value()) < 32:
            raise ValueError("COMPLAINTS_KEY_NEW must hold at least 32 characters")
        return self

    def master_key(self) -> bytes:
        """The secret that opens the vault, which holds the secret behind every pseudonym.

        Outside production a missing key is replaced by one that anybody can derive: such a home holds
        simulated data, and rebuilding it anywhere must give the same pseudonyms.
        """
        return _digested(self.key.get_secret_value() or f"complaint-assets/{self.env}/throw-away")

    def new_master_key(self) -> bytes | None:
        """The secret to which the vault is to be rotated; None if none is given."""
        secret = self.key_new.get_secret_value()
        return _digested(secret) if secret else None

    def ui(self) -> str:
        return self.ui_url.rstrip("/") or f"http://127.0.0.1:{self.port}"

    def vault_folder(self) -> Path:
        return Path(self.vault) if self.vault else self.home / "vault"

    def lake_url(self) -> str:
        return self.lake or str(self.home / "lake")

    def inbox_url(self) -> str:
        return self.inbox or str(self.home / "inbox")

    def receiver_keys(self) -> dict[str, SecretStr]:
        """The secret that signs the events of a source, by ``channel/source``.

        Raises:
            ValueError: the setting is no JSON object of texts.
        """
        return _secrets(
            self.receiver_secrets, 'COMPLAINTS_RECEIVER_SECRETS must be JSON like {"channel/source": "secret"}'
        )

    def role_tokens(self) -> dict[str, SecretStr]:
        """The token of each role in the HTTP API.

        Raises:
            ValueError: the setting is no JSON object of texts.
        """
        return _secrets(self.api_tokens, 'COMPLAINTS_API_TOKENS must be JSON like {"reporting": "token"}')

    def queue_url(self) -> str:
        return self.queue or str(self.home / "queue.db")

    def contract_folders(self) -> list[Path]:
        return [Path(part) for part in self.contracts.split(os.pathsep) if part]

    def word_folders(self) -> list[Path]:
        return [Path(part) for part in self.vocabulary.split(os.pathsep) if part]

    @property
    def masking(self) -> Literal["analytic", "strict"]:
        """The masking profile: only production holds more than approved words."""
        return "analytic" if self.env == "prod" else "strict"

    @property
    def tables(self) -> Path:
        return self.home / "tables"

    @property
    def warehouse(self) -> Path:
        # Not named as the schema in it: DuckDB would take one for the other.
        return self.home / "complaints.duckdb"

    @property
    def replays(self) -> Path:
        """What surge replays remember: a cache."""
        return self.home / "surges.db"

    @property
    def taxonomy(self) -> Path:
        return self.home / "taxonomy"

    @property
    def marts(self) -> Path:
        return self.home / "marts"

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def alerts(self) -> Path:
        return self.home / "alerts"

    @property
    def surge_log(self) -> Path:
        return self.alerts / "surges.jsonl"

    @property
    def audit_log(self) -> Path:
        return self.home / "audit" / "log.jsonl"

    @property
    def audit_head_file(self) -> Path:
        return Path(self.audit_head) if self.audit_head else self.home / "audit.head"


def _secrets(setting: SecretStr, wrong: str) -> dict[str, SecretStr]:
    try:
        return TypeAdapter(dict[str, SecretStr]).validate_json(setting.get_secret_value())
    except ValidationError:  # it would quote the secrets
        raise ValueError(wrong) from None


def _digested(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process."""
    return Settings()
