"""What a Subscription's header lines say, apart from the resource: anybody who may read that would know it.

`headers` is sealed with a key made from the hub's own (hub.header_values); `version` is that of the Subscription
from which on it counts.
"""

from sqlalchemy import Column, Integer, LargeBinary, String, Table

from hub.store.tables import metadata

subscription_secret = Table(
    "subscription_secret",
    metadata,
    Column("subscription", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("headers", LargeBinary, nullable=False),
)
