"""SMART on FHIR: people, codes, refresh tokens, signing keys; what a client and a token are beyond issue 1"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# new columns of tables that are there: name, type, what the rows that are there get
CLIENT = (
    ("kind", sa.String(length=32), "confidential-asymmetric"),
    ("organization", sa.Text(), ""),
    ("purposes", sa.Text(), ""),
    ("redirect_uris", sa.Text(), ""),
    ("grant_types", sa.Text(), "client_credentials"),
    ("launch_uri", sa.Text(), ""),
    ("secret_hash", sa.Text(), ""),
    ("certificate", sa.Text(), ""),
    ("software", sa.Text(), ""),
    ("expires", sa.BigInteger(), "0"),
    ("resource_server", sa.Boolean(), sa.text("false")),
)
TOKEN = (
    ("user_id", sa.String(length=64), ""),
    ("context", sa.Text(), ""),
    ("family", sa.String(length=64), ""),
    ("certificate", sa.Text(), ""),
)
TABLES = (
    "authorization_code",
    "refresh_token",
    "signing_key",
    "user_account",
    "user_session",
    "sign_in_failure",
    "sign_in_state",
    "authorization_request",
    "launch_context",
    "user_consent",
)


def upgrade() -> None:
    for table, columns in (("client", CLIENT), ("token", TOKEN)):
        for name, kind, default in columns:
            op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))
    op.create_index("token_family", "token", ["family"])
    op.create_table(
        "authorization_code",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("family", sa.String(length=64), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("challenge", sa.String(length=128), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("session", sa.LargeBinary(), nullable=True),
        sa.Column("signed_in", sa.BigInteger(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("authorization_code_expires", "authorization_code", ["expires"])
    op.create_index("authorization_code_family", "authorization_code", ["family"])
    op.create_table(
        "refresh_token",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("family", sa.String(length=64), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("signed_in", sa.BigInteger(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("refresh_token_client", "refresh_token", ["client"])
    op.create_index("refresh_token_expires", "refresh_token", ["expires"])
    op.create_index("refresh_token_family", "refresh_token", ["family"])
    op.create_index("refresh_token_user", "refresh_token", ["user_id"])
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("alg", sa.String(length=16), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("retired", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("kid"),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=256), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("fhir_user", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("locked_until", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("last_sign_in", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("user_account_login", "user_account", ["login"], unique=True)
    op.create_index("user_account_subject", "user_account", ["issuer", "subject"], unique=True)
    op.create_table(
        "user_session",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("methods", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("user_session_expires", "user_session", ["expires"])
    op.create_index("user_session_user", "user_session", ["user_id"])
    op.create_table(
        "sign_in_failure",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("sign_in_failure_last", "sign_in_failure", ["last"])
    op.create_table(
        "sign_in_state",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("sign_in_state_expires", "sign_in_state", ["expires"])
    op.create_table(
        "authorization_request",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("session", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("authorization_request_expires", "authorization_request", ["expires"])
    op.create_table(
        "launch_context",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("encounter", sa.String(length=64), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("launch_context_expires", "launch_context", ["expires"])
    op.create_table(
        "user_consent",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("given", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "client"),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("token_family", "token")
    for table, columns in (("token", TOKEN), ("client", CLIENT)):
        with op.batch_alter_table(table) as batch:
            for name, _, _ in columns:
                batch.drop_column(name)
