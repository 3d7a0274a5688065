"""The Dagster resource of a home's stores: inbox, queue, raw lake, Delta tables and vault."""

from functools import cached_property

import dagster as dg

from resources.inbox import Inbox
from resources.lake import Lake
from resources.queue import Queue, open_queue
from resources.settings import settings
from resources.tables import Tables
from resources.vault import Vault, open_vault


class Stores(dg.ConfigurableResource):
    """Where bytes arrive, where they are kept, and where row tables lie."""

    lake_url: str
    inbox_url: str
    tables_url: str
    queue_url: str = ""

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.lake_url)

    @cached_property
    def inbox(self) -> Inbox:
        return Inbox(self.inbox_url)

    @cached_property
    def queue(self) -> Queue | None:
        """The queue, where messages are pushed to this home."""
        return open_queue(self.queue_url) if self.queue_url else None

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.tables_url)

    @property
    def vault(self) -> Vault:
        """Of this process's settings: a resource's configuration is shown in the UI and must hold no key."""
        return open_vault(settings())
