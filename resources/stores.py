"""The Dagster resource for bytes and row tables: inbox, raw lake and Delta tables of one home."""

from functools import cached_property

import dagster as dg

from resources.inbox import Inbox
from resources.lake import Lake
from resources.tables import Tables


class Stores(dg.ConfigurableResource):
    """Where bytes arrive, where they are kept, and where row tables lie."""

    lake_url: str
    inbox_url: str
    tables_url: str

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.lake_url)

    @cached_property
    def inbox(self) -> Inbox:
        return Inbox(self.inbox_url)

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.tables_url)
