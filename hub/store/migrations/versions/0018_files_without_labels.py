"""Files of exports have no labels of their own: those of what they hold now count"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
oldest = "0018"  # earlier releases write the column that goes


def upgrade() -> None:
    op.drop_column("bulk_file", "labels")


def downgrade() -> None:
    op.add_column("bulk_file", sa.Column("labels", sa.BigInteger(), nullable=False, server_default="0"))
