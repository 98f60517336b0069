"""The tables of the authorization server, beside `client`, `token` and `assertion` of hub.store.tables.

- `authorization_code`, `refresh_token`: a SHA-256 each. All that one sign-in leads to has one `family`: a code or a
  refresh token that comes a second time ends the family (RFC 9700 sections 2.1.1 and 4.14).
- `signing_key`: keys of the ID token, the private half encrypted with the hub's secret key.
- `user_account`, `user_session`, `sign_in_failure`, `sign_in_state`: people who sign in here.
- `authorization_request`, `launch_context`, `user_consent`: what happens between a launch and a code.

Lists are words with a space between them, contexts are JSON objects. Times are microseconds since 1970, UTC; 0 is
never.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from hub.store.tables import metadata

authorization_code = Table(
    "authorization_code",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("family", String(64), nullable=False),
    Column("client", String(128), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("challenge", String(128), nullable=False),
    Column("nonce", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("session", LargeBinary),  # hash of the session that the code was given in
    Column("signed_in", BigInteger, nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False, server_default="0"),
    Index("authorization_code_expires", "expires"),
    Index("authorization_code_family", "family"),
)

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("family", String(64), nullable=False),
    Column("client", String(128), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("signed_in", BigInteger, nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False, server_default="0"),
    Index("refresh_token_expires", "expires"),
    Index("refresh_token_family", "family"),
    Index("refresh_token_client", "client"),
    Index("refresh_token_user", "user_id"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("alg", String(16), nullable=False),
    Column("public", Text, nullable=False),
    Column("private", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("retired", BigInteger, nullable=False, server_default="0"),
)

user_account = Table(
    "user_account",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("login", String(256), nullable=False),  # in small letters
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),  # argon2id; empty: signs in elsewhere only
    Column("fhir_user", Text, nullable=False),  # such as Practitioner/1
    Column("roles", Text, nullable=False),
    Column("organization", Text, nullable=False),
    Column("totp_secret", LargeBinary),  # encrypted with the hub's secret key
    Column("totp_step", BigInteger, nullable=False, server_default="0"),  # of the code used last: none works twice
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until", BigInteger, nullable=False, server_default="0"),
    Column("active", Boolean, nullable=False),
    Column("issuer", Text),  # of another sign-in service, with the person's subject there
    Column("subject", Text),
    Column("created", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("last_sign_in", BigInteger, nullable=False, server_default="0"),
    Index("user_account_login", "login", unique=True),
    Index("user_account_subject", "issuer", "subject", unique=True),
)

user_session = Table(
    "user_session",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("methods", Text, nullable=False),  # how the person signed in, in the words of RFC 8176
    Column("created", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("user_session_user", "user_id"),
    Index("user_session_expires", "expires"),
)

# failed sign-ins of a login or from an address, whether or not there is such an account
sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("locked_until", BigInteger, nullable=False),
    Index("sign_in_failure_last", "last"),
)

# a sign-in at another service that has not come back yet
sign_in_state = Table(
    "sign_in_state",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("content", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("sign_in_state_expires", "expires"),
)

# a request to /auth/authorize that waits for its person
authorization_request = Table(
    "authorization_request",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("client", String(128), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("session", LargeBinary),
    Column("content", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("authorization_request_expires", "expires"),
)

launch_context = Table(
    "launch_context",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("client", String(128), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("patient", String(64), nullable=False),
    Column("encounter", String(64), nullable=False),
    Column("context", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False, server_default="0"),
    Index("launch_context_expires", "expires"),
)

# what a person said yes to, so that the same is not asked twice
user_consent = Table(
    "user_consent",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("client", String(128), primary_key=True),
    Column("scopes", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("given", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
)
