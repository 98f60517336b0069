"""Bulk data: the tables of hub.bulk, which decides.

- `bulk_job`: an export or an import, from its request until it expires. `asked` is what was asked (JSON),
`position` how far it is; `fence` grows with each claim, so that a worker that was thought dead writes nothing any
more.
- `bulk_file`: a file of a job. No content of a resource is in an export's files, only which ones were chosen.
- `bulk_part`: a piece of a file: row numbers and versions, or lines of NDJSON (hub.bulk.files).
- `bulk_member`: the patients of an export of a Group, or of some patients.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from hub.store.tables import metadata

bulk_job = Table(
    "bulk_job",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("client", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("counted", BigInteger, nullable=False, server_default="0"),
    Column("created", BigInteger, nullable=False),
    # not before this moment, and not before what was being written then is written (hub.store.settled)
    Column("due", BigInteger, nullable=False),
    Column("barrier", BigInteger, nullable=False, server_default="0"),
    Column("ended", BigInteger),
    Column("expires", BigInteger, nullable=False),
    # who works at it until when, who may end it, how often somebody began, and when it had its last turn
    Column("lease", BigInteger, nullable=False, server_default="0"),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("turned", BigInteger, nullable=False, server_default="0"),
    # when its client asked last
    Column("polled", BigInteger, nullable=False, server_default="0"),
    Column("reason", String(256)),
    Index("bulk_job_state", "state", "turned"),
    Index("bulk_job_client", "client", "state"),
    Index("bulk_job_expires", "expires"),
)

bulk_file = Table(
    "bulk_file",
    metadata,
    Column("job", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("type", String(64), nullable=False),
    Column("parts", Integer, nullable=False),
    Column("counted", BigInteger, nullable=False),
)

bulk_part = Table(
    "bulk_part",
    metadata,
    Column("job", String(64), primary_key=True),
    Column("file", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

bulk_member = Table(
    "bulk_member",
    metadata,
    Column("job", String(64), primary_key=True),
    Column("patient", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
