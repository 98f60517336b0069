"""What the hub keeps for Subscriptions beside the resource.

- `subscription_secret`: what its header lines say; anybody who may read the resource would know it. `headers` is
  sealed with a key made from the hub's own (hub.header_values); `version` is that of the Subscription from which on
  it counts.
- `subscription_event`: each event that was counted for it, without content, for `$events` and for websockets.
- `notice_attempt`: each try to send it something, and what became of it. `first` and `last` are numbers of events.
- `socket_token`: hashes of tokens that bound a websocket, until their time is over: each is good once.
- `digest`: how far a partner's digest files are (hub.notifications.digests). `since` and `until`: JSON, by
  Subscription the number of its last event.
- `subscription_changed`: one row that counts writes of Subscriptions (hub.notifications.active).
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from hub.store.tables import Counter, metadata

subscription_secret = Table(
    "subscription_secret",
    metadata,
    Column("subscription", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("headers", LargeBinary, nullable=False),
)

subscription_event = Table(
    "subscription_event",
    metadata,
    Column("subscription", String(64), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", Text, nullable=False),
    Column("type", String(64), nullable=False),
    Column("id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("subscription_event_at", "at"),
    sqlite_with_rowid=False,
)

notice_attempt = Table(
    "notice_attempt",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("subscription", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("status", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Index("notice_attempt_subscription", "subscription", "seq"),
    Index("notice_attempt_at", "at"),
)

socket_token = Table(
    "socket_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("expires", BigInteger, nullable=False),
)

digest = Table(
    "digest",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("since", Text, nullable=False),
    Column("until", Text, nullable=False),
)

subscription_changed = Table(
    "subscription_changed",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("times", BigInteger, nullable=False),
)
