"""The tables, once, for SQLite and PostgreSQL.

- `resource`: the current version of each resource, its JSON exactly as it is served. `rid` is the hub's own
  row number: made by the client, growing with time, so that a create needs no round trip for a key.
- `history`: every earlier version, and deletions.
- `index_token`, `index_date`, `index_number`, `index_string`: the search index. A token or reference row is one
  64-bit hash of type, parameter and value; matches are checked again against the resource, so a collision costs
  time, not truth.
- `inbox`: what senders sent, stored before it is believed. `outbox`: work that must happen because of a write.

Times are microseconds since 1970, UTC.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql

metadata = MetaData()

# SQLite counts up by itself only for a column declared exactly INTEGER PRIMARY KEY
Counter = BigInteger().with_variant(Integer, "sqlite")

resource = Table(
    "resource",
    metadata,
    Column("rid", Counter, primary_key=True, autoincrement=False),
    Column("type", String(64), nullable=False),
    Column("id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("last_updated", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("body", LargeBinary),
    # of its type and id (hub.search.edges)
    Column("address", BigInteger, nullable=False),
    # the Patient it belongs to, its sensitivity labels and whose data it is: hub.sight, hub.rights.facts. Until
    # somebody said, nobody sees it
    Column("patient", BigInteger, nullable=False, server_default="2"),
    Column("labels", BigInteger, nullable=False, server_default="-1"),
    Column("source", BigInteger, nullable=False, server_default="0"),
    # the source person that it came with (hub.identity), 0: none
    Column("person", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("type", "id", name="resource_identity"),
    Index("resource_address", "address"),
    Index("resource_patient", "patient", "type", "rid"),
    Index("resource_changed", "type", "last_updated", "rid"),
    Index("resource_type", "type", "rid"),
    Index(
        "resource_person",
        "person",
        sqlite_where=sql("person <> 0"),
        postgresql_where=sql("person <> 0"),
    ),
)

history = Table(
    "history",
    metadata,
    Column("rid", BigInteger, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("last_updated", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("body", LargeBinary),
    Column("type", String(64), nullable=False),
    Index("history_changed", "type", "last_updated", "rid"),
)

index_token = Table(
    "index_token",
    metadata,
    Column("hash", BigInteger, primary_key=True),
    Column("rid", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

index_date = Table(
    "index_date",
    metadata,
    Column("param", BigInteger, primary_key=True),
    Column("low", BigInteger, primary_key=True),
    Column("high", BigInteger, primary_key=True),
    Column("rid", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

# numbers and quantities; `param` holds the unit, too (hub.search.index)
index_number = Table(
    "index_number",
    metadata,
    Column("param", BigInteger, primary_key=True),
    Column("low", Double, primary_key=True),
    Column("high", Double, primary_key=True),
    Column("rid", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

index_string = Table(
    "index_string",
    metadata,
    Column("param", BigInteger, primary_key=True),
    # compared byte by byte on both databases, so that a prefix is a range of the index
    Column("value", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("rid", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

# the addresses (hub.search.edges) that a resource points at: the way back from a key of index_token
index_reference = Table(
    "index_reference",
    metadata,
    Column("target", BigInteger, nullable=False),
    Column("rid", BigInteger, nullable=False),
    PrimaryKeyConstraint("rid", "target"),
    sqlite_with_rowid=False,
)

# the patients of a resource that belongs to several
index_patient = Table(
    "index_patient",
    metadata,
    Column("rid", BigInteger, primary_key=True),
    Column("patient", BigInteger, primary_key=True),
    Index("index_patient_patient", "patient", "rid"),
    sqlite_with_rowid=False,
)

# the addresses of what says whose a resource is that does not say it itself (hub.inheriting)
index_about = Table(
    "index_about",
    metadata,
    Column("target", BigInteger, primary_key=True),
    Column("rid", BigInteger, primary_key=True),
    Index("index_about_rid", "rid"),
    sqlite_with_rowid=False,
)

# who has to do with a patient, from when until when, and which resource says so (hub.rights.relations)
index_relation = Table(
    "index_relation",
    metadata,
    Column("patient", BigInteger, primary_key=True),
    Column("holder", BigInteger, primary_key=True),
    Column("kind", BigInteger, primary_key=True),
    Column("low", BigInteger, primary_key=True),
    Column("high", BigInteger, primary_key=True),
    Column("rid", BigInteger, primary_key=True),
    Index("index_relation_holder", "holder", "patient"),
    Index("index_relation_rid", "rid"),
    sqlite_with_rowid=False,
)

# what a Consent permits and denies (hub.rights.consents)
index_consent = Table(
    "index_consent",
    metadata,
    Column("patient", BigInteger, primary_key=True),
    Column("recipient", BigInteger, primary_key=True),
    Column("rid", BigInteger, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("permit", Boolean, nullable=False),
    Column("labels", BigInteger, nullable=False),
    Column("purposes", BigInteger, nullable=False),
    Column("low", BigInteger, nullable=False),
    Column("high", BigInteger, nullable=False),
    Column("signed", BigInteger, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("proxy", BigInteger, nullable=False),
    Column("medi_cal", Boolean, nullable=False),
    Index("index_consent_rid", "rid"),
    sqlite_with_rowid=False,
)

inbox = Table(
    "inbox",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("source", String(32), nullable=False),
    Column("feed", String(128), nullable=False),
    Column("control_id", String(256), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("location", String(64)),
    Column("subject", String(256)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due", BigInteger, nullable=False, server_default="0"),
    Column("processed", BigInteger),
    # a hash of whom the sender means (hub.inbox.messages.member_key); none: no order is known
    Column("member", BigInteger),
    # grows with each claim and never falls: who claimed before cannot end what was claimed since
    Column("fence", Integer, nullable=False, server_default="0"),
    # what a parked message waits for (hub.inbox.waits)
    Column("awaits_kind", String(32)),
    Column("awaits_key", String(128)),
    UniqueConstraint("source", "feed", "control_id", name="inbox_message"),
    Index(
        "inbox_waiting",
        "due",
        "seq",
        sqlite_where=sql("state = 'received'"),
        postgresql_where=sql("state = 'received'"),
    ),
    Index("inbox_state", "state", "seq"),
    Index(
        "inbox_line",
        "member",
        "seq",
        sqlite_where=sql("state = 'received'"),
        postgresql_where=sql("state = 'received'"),
    ),
    Index(
        "inbox_awaits",
        "awaits_kind",
        "awaits_key",
        "seq",
        sqlite_where=sql("awaits_kind IS NOT NULL"),
        postgresql_where=sql("awaits_kind IS NOT NULL"),
    ),
    Index(
        "inbox_subject",
        "subject",
        "seq",
        sqlite_where=sql("subject IS NOT NULL"),
        postgresql_where=sql("subject IS NOT NULL"),
    ),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("key", String(256), nullable=False),
    # rows of one kind with the same line are worked one at a time, in order; none: no order
    Column("line", String(128)),
    Column("payload", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("reason", Text),
    UniqueConstraint("kind", "key", name="outbox_once"),
    Index(
        "outbox_due",
        "kind",
        "due",
        "seq",
        sqlite_where=sql("state = 'waiting'"),
        postgresql_where=sql("state = 'waiting'"),
    ),
    Index(
        "outbox_line",
        "kind",
        "line",
        "seq",
        sqlite_where=sql("state = 'waiting'"),
        postgresql_where=sql("state = 'waiting'"),
    ),
)

subscription_counter = Table(
    "subscription_counter",
    metadata,
    Column("subscription", String(64), primary_key=True),
    Column("events", BigInteger, nullable=False),
    # the client that asked for the Subscription as it stands: its secret signs, its rights are asked
    Column("owner", String(128), nullable=False),
    # tries in a row that failed, and when something last reached the receiver
    Column("failures", BigInteger, nullable=False, server_default="0"),
    Column("reached", BigInteger, nullable=False, server_default="0"),
)

# what this deployment is searched by beyond R4, one row a definition and base; and the work of indexing it. A row
# without a parameter is the work of indexing everything anew (hub.reindex)
search_parameter = Table(
    "search_parameter",
    metadata,
    # given out by hub.store.parameters and never again: index keys hold it
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("parameter", String(64), nullable=False),  # the SearchParameter's id
    Column("url", Text, nullable=False),
    Column("base", String(64), nullable=False),
    Column("code", String(64), nullable=False),
    Column("type", String(16), nullable=False),
    Column("expression", Text, nullable=False),
    Column("targets", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("position", BigInteger, nullable=False),  # the last row number that the phase has dealt with
    Column("looked_at", BigInteger, nullable=False),  # how many resources
    Column("due", BigInteger, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Index("search_parameter_id", "parameter"),
)

client = Table(
    "client",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", String(32), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("jwks", Text),
    Column("jwks_url", Text),
    Column("active", Boolean, nullable=False),
    Column("webhook_generation", Integer, nullable=False, server_default="1"),
    Column("created", BigInteger, nullable=False),
    # lists are words with a space between them
    Column("kind", String(32), nullable=False, server_default="confidential-asymmetric"),
    Column("organization", Text, nullable=False, server_default=sql("''")),
    Column("purposes", Text, nullable=False, server_default=sql("''")),
    Column("redirect_uris", Text, nullable=False, server_default=sql("''")),
    Column("grant_types", Text, nullable=False, server_default="client_credentials"),
    Column("launch_uri", Text, nullable=False, server_default=sql("''")),
    Column("secret_hash", Text, nullable=False, server_default=sql("''")),
    Column("certificate", Text, nullable=False, server_default=sql("''")),
    Column("software", Text, nullable=False, server_default=sql("''")),
    Column("expires", BigInteger, nullable=False, server_default="0"),
    Column("resource_server", Boolean, nullable=False, server_default=sql("false")),
)

token = Table(
    "token",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("client", String(128), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("user_id", String(64), nullable=False, server_default=sql("''")),
    Column("context", Text, nullable=False, server_default=sql("''")),
    Column("family", String(64), nullable=False, server_default=sql("''")),
    Column("certificate", Text, nullable=False, server_default=sql("''")),
    Index("token_expires", "expires"),
    Index("token_family", "family"),
)

assertion = Table(
    "assertion",
    metadata,
    Column("client", String(128), primary_key=True),
    Column("jti", String(256), primary_key=True),
    Column("expires", BigInteger, nullable=False),
    Index("assertion_expires", "expires"),
)

# answers to requests with an Idempotency-Key, written together with what they answer
idempotency = Table(
    "idempotency",
    metadata,
    Column("client", String(128), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Index("idempotency_created", "created"),
)
