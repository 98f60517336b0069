"""The keys of ID tokens: made when needed, sealed at rest, rotated without a gap."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, select
from typer.testing import CliRunner

from auth.id_token import Issuer, Subject, id_token
from auth.key_commands import key_commands
from auth.signing_keys import SigningKeys
from hub.settings import read_settings
from hub.store.engine import Database
from hub.store.tables_auth import signing_key

SECRET = b"a secret of the tests, 32 long!!"
ISSUER = Issuer("https://hub.example", "https://hub.example/fhir")


@pytest.fixture
def empty(database: Database) -> Iterator[Database]:
    """No signing key; those of the other tests come back, since making one takes a moment."""
    with database.write() as connection:
        kept = [row._asdict() for row in connection.execute(select(signing_key))]
        connection.execute(delete(signing_key))
    yield database
    with database.write() as connection:
        connection.execute(delete(signing_key))
        if kept:
            connection.execute(signing_key.insert(), kept)


def published(keys: SigningKeys) -> list[str]:
    return [key["kid"] for key in keys.published()["keys"]]


def test_a_key_is_made_when_one_is_needed_and_kept(empty: Database, clock: Any) -> None:
    keys = SigningKeys(empty, SECRET, clock)
    assert keys.listed() == []
    ahead = published(keys)
    first = keys.signer()
    assert published(keys) == ahead == [first.kid]
    again = SigningKeys(empty, SECRET, clock)
    assert again.signer().kid == first.kid
    assert set(again.published()["keys"][0]) == {"kty", "n", "e", "kid", "alg", "use"}


def test_a_rotated_key_signs_and_the_old_one_is_published_until_it_is_retired(empty: Database, clock: Any) -> None:
    keys, elsewhere = SigningKeys(empty, SECRET, clock), SigningKeys(empty, SECRET, clock)
    old = keys.signer().kid
    assert elsewhere.signer().kid == old
    clock.move(1)
    new = keys.rotate()
    assert keys.signer().kid == new
    assert published(keys) == [new, old]
    assert elsewhere.signer().kid == old  # it signs with what is published still
    clock.move(60)
    assert elsewhere.signer().kid == new
    assert keys.retire(old)
    assert not keys.retire(old)
    assert not keys.retire("nobody")
    assert published(keys) == [new]
    assert [(line.kid, bool(line.retired)) for line in keys.listed()] == [(new, False), (old, True)]


def test_the_private_half_is_sealed_with_the_hubs_key(
    empty: Database, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    signer = SigningKeys(empty, SECRET, clock).signer()
    with empty.read() as connection:
        row = connection.execute(select(signing_key)).one()
    private = signer.key.as_dict(private=True)
    for half in ("d", "p", "q"):
        assert private[half].encode() not in row.private
        assert half not in msgspec.json.decode(row.public)
    other = SigningKeys(empty, b"another secret of the hub, 32 ch", clock)
    assert other.signer().kid != signer.kid
    assert signer.kid in published(other)
    assert "sealed with another secret key" in caplog.text


def test_repr_and_logs_hold_no_private_key(empty: Database, clock: Any) -> None:
    signer = SigningKeys(empty, SECRET, clock).signer()
    assert signer.key.as_dict(private=True)["d"] not in repr(signer)
    token = id_token(ISSUER, Subject("u-1", "", 1), "app", ("openid", "fhirUser"), signer, clock())
    assert token.count(".") == 2


def test_operators_rotate_and_retire_by_commands(empty: Database) -> None:
    settings = read_settings({"HUB_SECRET_KEY": SECRET.decode()})
    app = key_commands(lambda: empty, lambda: settings)

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == code, done.output
        return done.output

    first = run("rotate").split()[-1]
    second = run("rotate").split()[-1]
    assert run("list").split()[0] == second
    assert "Retired" in run("retire", first)
    assert "no such key" in run("retire", first, code=1)
    assert "retired" in run("list")
