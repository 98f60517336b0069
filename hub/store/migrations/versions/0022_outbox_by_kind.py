"""What waits in the outbox is found by its kind: much work of one kind costs the others nothing"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

WAITS = sa.text("state = 'waiting'")


def upgrade() -> None:
    _index("outbox_due", ["kind", "due", "seq"])
    op.drop_index("outbox_waiting", "outbox")


def downgrade() -> None:
    _index("outbox_waiting", ["due", "seq"])
    op.drop_index("outbox_due", "outbox")


def _index(name: str, columns: list[str]) -> None:
    op.create_index(name, "outbox", columns, sqlite_where=WAITS, postgresql_where=WAITS)
