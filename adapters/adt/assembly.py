"""The handler of hospital messages, as the settings want it: it asks who is who, and merges."""

from adapters.adt.local_tables import LocalTables
from adapters.adt.members import Members
from adapters.adt.merges import Merges
from adapters.adt.process import Processor
from hub.identity.desk import Registry
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Transactions


def processor(database: Database, own: Transactions, settings: Settings, tables: LocalTables) -> Processor:
    """`own` writes for the hub itself."""
    cin_system = settings["HUB_CIN_SYSTEM"]
    merges = Merges(Registry.of(own, settings.fhir_base), tables, cin_system)
    return Processor(database, own, tables, cin_system, merge=merges, members=Members(database, cin_system))
