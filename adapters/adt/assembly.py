"""The worker's part of hospital messages, as the settings want it: who is who, merges, what senders are told."""

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.adt.application_acks import KIND, ApplicationAcks, Returning
from adapters.adt.awaited import look_ups
from adapters.adt.finished import Finished
from adapters.adt.local_tables import LocalTables
from adapters.adt.members import Members
from adapters.adt.merges import Merges
from adapters.adt.process import Processor
from adapters.adt.return_addresses import return_addresses
from hub import outbox
from hub.identity.desk import Registry
from hub.inbox.waits import LookUp
from hub.message_ends import ParkedHandler
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Transactions


@dataclass(frozen=True, slots=True)
class Hospitals:
    """What the worker is given. `deliveries` and `look_ups` (hub.inbox.waits) by kind."""

    processor: Processor
    parked: ParkedHandler
    deliveries: dict[str, outbox.Handler]
    look_ups: Mapping[str, LookUp]
    finished: Finished


def hospitals(database: Database, own: Transactions, settings: Settings, tables: LocalTables) -> Hospitals:
    """`own` writes for the hub itself. Raises CannotStart."""
    cin_system, addresses = settings["HUB_CIN_SYSTEM"], return_addresses(settings)
    acks = ApplicationAcks(addresses)
    merges = Merges(Registry.of(own, settings.fhir_base), tables, cin_system, acks.processed)
    members = Members(database, cin_system)
    made = Processor(database, own, tables, cin_system, merge=merges, acknowledge=acks.processed, members=members)
    deliveries: dict[str, outbox.Handler] = {KIND: Returning(addresses)}
    return Hospitals(made, acks.parked, deliveries, look_ups(tables, merges), Finished(tables))
