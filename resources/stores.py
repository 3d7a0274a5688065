"""The Dagster resource of a home's stores: inbox, queue, raw lake, Delta tables and vault."""

from functools import cached_property

import dagster as dg

from resources.inbox import Inbox
from resources.lake import Lake, WrongEnvironment
from resources.queue import Queue, open_queue
from resources.settings import settings
from resources.tables import Tables
from resources.vault import Vault, open_vault


class RefusedLake(dg.Failure, RuntimeError):
    """Data of another environment: no retry will make it this one's."""


class Stores(dg.ConfigurableResource):
    """Where bytes arrive, where they are kept, and where row tables lie, for one environment."""

    lake_url: str
    inbox_url: str
    tables_url: str
    queue_url: str = ""
    environment: str = ""

    @cached_property
    def lake(self) -> Lake:
        """The lake, once it is known to be this environment's.

        Raises:
            RefusedLake: it belongs to another.
        """
        lake = Lake(self.lake_url)
        try:
            lake.claim(self.environment or settings().env)
        except WrongEnvironment as refusal:
            raise RefusedLake(str(refusal), allow_retries=False) from None
        return lake

    @cached_property
    def inbox(self) -> Inbox:
        return Inbox(self.inbox_url)

    @cached_property
    def queue(self) -> Queue | None:
        """The queue, where messages are pushed to this home."""
        return open_queue(self.queue_url) if self.queue_url else None

    @cached_property
    def tables(self) -> Tables:
        """The row tables; they belong to the environment of the lake that they were made from."""
        _ = self.lake
        return Tables(self.tables_url)

    @property
    def vault(self) -> Vault:
        """Of this process's settings: a resource's configuration is shown in the UI and must hold no key."""
        return open_vault(settings())
