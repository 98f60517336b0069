"""Bulk data as the settings want it; what comes from the wings is handed in."""

from hub.audit.recorder import Recorder
from hub.bulk import jobs
from hub.bulk.arriving import Arrivals
from hub.bulk.desk import Desk
from hub.bulk.exporting import AccessOf, Exporting
from hub.bulk.fetching import Fetching
from hub.bulk.importing import Importing
from hub.bulk.lane import BulkLane
from hub.search.query import Limits
from hub.search.terms import Terms
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Transactions

HOUR = 3600 * 1_000_000


def desk(database: Database, settings: Settings, access_of: AccessOf) -> Desk:
    """Where clients ask."""
    return Desk(database, access_of, settings.fhir_base, settings["HUB_BULK_JOBS"], settings["HUB_IMPORT_HOSTS"])


def lane(
    transactions: Transactions, settings: Settings, access_of: AccessOf, terms: Terms, recorder: Recorder | None
) -> BulkLane:
    """What does the jobs. `transactions` are those for clients."""
    database, keep = transactions.database, settings["HUB_BULK_HOURS"] * HOUR
    exporting = Exporting(database, access_of, Limits(base=settings.fhir_base, terms=terms), keep)
    fetching = Fetching(settings["HUB_IMPORT_HOSTS"], settings["HUB_IMPORT_MB"] << 20)
    importing = Importing(database, access_of, transactions, keep, Arrivals(database, fetching), recorder)
    return BulkLane(database, {jobs.EXPORT: exporting, jobs.IMPORT: importing}, keep)
