"""Loading the demo county: a Bundle whose first resource was ever there is left alone.

So a second run changes nothing, also after somebody worked with the demo.
"""

from collections.abc import Callable, Iterable

from hub.access import Access
from hub.fhir.bundles import entries_of
from hub.fhir.json import Resource
from hub.store import read
from hub.store.engine import Database
from hub.transactions import Transactions

MOST_ENTRIES = 500


def load(
    database: Database, transactions: Transactions, bundles: Iterable[Resource], step: Callable[[], object]
) -> int:
    """Commit the Bundles that are new; how many that were. `step` is called after each, for a progress bar."""
    access = Access.system("demo county")
    loaded = 0
    for bundle in bundles:
        entries = entries_of(bundle, MOST_ENTRIES)
        with database.read() as connection:
            known = read.current(connection, access, entries[0].type, entries[0].id)
        if known is None:
            transactions.commit(entries, access, many=True)
            loaded += 1
        step()
    return loaded
