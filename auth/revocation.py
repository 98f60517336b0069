"""The revocation endpoint: a client gives a token back.

Rules: RFC 7009; section 2.2: an unknown token is answered 200 as well, so nobody learns which tokens there are
Refuses: clients that do not authenticate (401 `invalid_client`); another client's token is answered 200 and stays.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from auth import known_tokens
from auth.assertion import Proof
from auth.client_authentication import Authentication, refusal
from auth.tokens import record
from hub.clock import Clock
from hub.store.engine import Database


class Revocation:
    """The endpoint, without the web."""

    def __init__(self, database: Database, authentication: Authentication, clock: Clock):
        self._database, self._authentication, self._clock = database, authentication, clock

    def answer(self, form: Mapping[str, Any], authorization: str) -> None:
        """Revoke the token of the form, if it is the client's own. Raises ClientRefusedError."""
        proof = self._authentication.proof(form, authorization, self._clock())
        token: str = form["token"]
        if not self._database.writing(lambda connection: _revoked(connection, proof, token)):
            raise refusal("replay")


def _revoked(connection: Connection, proof: Proof, token: str) -> bool:
    if not record(connection, proof):
        return False
    known = known_tokens.find(connection, token)
    if known is not None and known.row.client == proof.client.id:
        known_tokens.revoke(connection, known)
    return True
