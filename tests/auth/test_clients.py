"""What the register takes, and what it refuses with which sentence."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from auth import clients
from auth.clients import Client, ClientError, add, allowed_url, disable, find, listed, rotate
from auth.development_token import new_key, public_jwks
from auth.roles import ROLES
from hub.clock import now
from hub.store.engine import Database

URL = "https://ehr.example/jwks.json"


def registration(database: Database, client: Client, hosts: tuple[str, ...] = ()) -> Client:
    with database.write() as connection:
        return add(connection, client, now(), hosts)


def refused(database: Database, client: Client) -> str:
    with pytest.raises(ClientError) as raised:
        registration(database, client)
    return str(raised.value)


def with_keys(*keys: Any) -> Client:
    return Client("ehr-1", "Demo EHR", "ehr", "system/Patient.rs", {"keys": list(keys)})


@pytest.fixture
def public(rsa_key: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = public_jwks(rsa_key)["keys"][0]
    return found


def test_a_client_is_found_as_it_was_registered(database: Database, public: dict[str, Any]) -> None:
    client = with_keys(public)
    assert registration(database, client) == client
    with database.read() as connection:
        assert find(connection, "ehr-1") == client
        assert listed(connection) == [client]
        assert find(connection, "ehr-2") is None
        assert find(connection, "ehr\0") is None


def test_every_role_of_the_table_can_be_registered(database: Database) -> None:
    for role in ROLES:
        registration(database, Client(f"demo-{role}", "Demo", role))
    with database.read() as connection:
        assert {client.role for client in listed(connection)} == set(ROLES)


def test_scopes_are_kept_in_their_version_2_form(database: Database, public: dict[str, Any]) -> None:
    client = Client("ehr-1", "Demo", "ehr", "system/*.read", {"keys": [public]})
    assert registration(database, client).scopes == "system/*.rs"


def test_members_that_are_not_needed_are_not_kept(database: Database, public: dict[str, Any]) -> None:
    kept = registration(database, with_keys({**public, "x5c": ["MIIB"], "ext": True}))
    assert kept.jwks == {"keys": [public]}


def test_a_client_is_disabled_and_its_keys_are_replaced(database: Database, public: dict[str, Any]) -> None:
    registration(database, with_keys(public))
    with database.write() as connection:
        moved = rotate(connection, "ehr-1", jwks_url=URL)
        assert (moved.jwks, moved.jwks_url) == (None, URL)
        back = rotate(connection, "ehr-1", {"keys": [public]})
        assert (back.jwks, back.jwks_url) == ({"keys": [public]}, None)
        assert disable(connection, "ehr-1").active is False
        assert clients.rotate_webhook_secret(connection, "ehr-1").webhook_generation == 2


@pytest.mark.parametrize("change", [disable, clients.rotate_webhook_secret])
def test_a_client_nobody_registered_cannot_be_changed(database: Database, change: Any) -> None:
    with pytest.raises(ClientError, match="No client"), database.write() as connection:
        change(connection, "nobody")


def test_rotating_to_no_keys_is_refused(database: Database, public: dict[str, Any]) -> None:
    registration(database, with_keys(public))
    with pytest.raises(ClientError, match="New keys"), database.write() as connection:
        rotate(connection, "ehr-1")


def wrong_registrations(public: dict[str, Any]) -> list[tuple[str, Client]]:
    keys = {"keys": [public]}
    return [
        ("client id", Client("", "Demo", "ehr", "", keys)),
        ("client id", Client("a|b", "Demo", "ehr", "", keys)),
        ("client id", Client("a" * 129, "Demo", "ehr", "", keys)),
        ("no role", Client("ehr-1", "Demo", "superuser", "", keys)),
        ("not both", Client("ehr-1", "Demo", "ehr", "", keys, URL)),
        ("needs public keys", Client("ehr-1", "Demo", "ehr", "system/Patient.r")),
        ("in that order", Client("ehr-1", "Demo", "ehr", "system/Patient.sr", keys)),
        ("not for a backend", Client("ehr-1", "Demo", "ehr", "user/Patient.r", keys)),
        ("https URL", Client("ehr-1", "Demo", "ehr", "", None, "http://ehr.example/jwks")),
    ]


def test_a_registration_with_a_fault_is_refused_with_a_sentence(database: Database, public: dict[str, Any]) -> None:
    for why, client in wrong_registrations(public):
        assert why in refused(database, client), client
    with database.read() as connection:
        assert listed(connection) == []


def test_an_id_is_registered_once(database: Database) -> None:
    registration(database, Client("ehr-1", "Demo", "ehr"))
    assert "already" in refused(database, Client("ehr-1", "Other", "ehr"))


def wrong_keys(public: dict[str, Any], private: dict[str, Any]) -> list[tuple[str, Any]]:
    small = RSAKey.generate_key(1024).as_dict(private=False) | {"kid": "small"}
    p256 = ECKey.generate_key("P-256").as_dict(private=False) | {"kid": "p256"}
    off_curve = public_jwks(new_key("ES384"))["keys"][0] | {"x": public["n"][:64]}
    return [
        ("private key material", private),
        ("private key material", new_key("ES384")),
        ("private key material", {**public, "oth": []}),
        ("kty", OctKey.generate_key(256).as_dict() | {"kid": "oct"}),
        ("2048", small),
        ("crv", p256),
        ("kty is not a public key", off_curve),
        ("kty is not a public key", {"kty": "RSA", "kid": "1"}),
        ("kty is not a public key", {"kty": "RSA", "kid": "1", "n": "!", "e": "AQAB"}),
        ("kty is not a public key", {"kty": "EC", "kid": "1", "crv": "P-384"}),
        ("kid", {name: value for name, value in public.items() if name != "kid"}),
        ("kid", {**public, "kid": ""}),
        ("kid", {**public, "kid": 7}),
        ("alg", {**public, "alg": "RS256"}),
        ("alg", {**public, "alg": "ES384"}),
        ("use", {**public, "use": "enc"}),
        ("key_ops", {**public, "key_ops": ["sign"]}),
        ("not a JWK", "a key"),
        ("not a JWK", None),
    ]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_key_that_cannot_be_trusted_is_refused_with_its_place_and_never_its_value(
    database: Database, public: dict[str, Any], rsa_key: dict[str, Any]
) -> None:
    for why, key in wrong_keys(public, rsa_key):
        text = refused(database, with_keys(public, key) if why != "kid" else with_keys(key))
        assert why in text, (why, text)
        assert "keys[" in text
        assert rsa_key["n"] not in text
        assert rsa_key["d"] not in text


def test_a_set_is_refused_for_two_keys_of_one_kid_or_none_or_too_many(
    database: Database, public: dict[str, Any], ec_key: dict[str, Any]
) -> None:
    twin = public_jwks(ec_key)["keys"][0] | {"kid": public["kid"]}
    assert "same kid" in refused(database, with_keys(public, twin))
    assert "1 to 20" in refused(database, with_keys())
    assert "1 to 20" in refused(database, with_keys(*[public] * 21))
    assert "`keys`" in refused(database, Client("ehr-1", "Demo", "ehr", "", {"key": [public]}))


@pytest.mark.parametrize(
    ("url", "hosts", "allowed"),
    [
        (URL, (), True),
        ("https://ehr.example:8443/jwks", (), True),
        ("http://ehr.example/jwks", (), False),
        ("http://localhost:9000/jwks", ("localhost:9000",), True),
        ("http://localhost:9000/jwks", ("localhost",), True),
        ("http://localhost:9001/jwks", ("localhost:9000",), False),
        ("http://localhost.evil.example/jwks", ("localhost",), False),
        ("http://localhost@evil.example/jwks", ("localhost",), False),
        ("https://ehr.example@evil.example/", (), False),
        ("https://:x@evil.example/", (), False),
        ("https://ehr.example/#jwks", (), False),
        ("https://ehr.example\\@evil.example/", (), False),
        ("https://ehr.example/a b", (), False),
        ("https://ehr.example/\n", (), False),
        ("https://éhr.example/", (), False),
        ("https://", (), False),
        ("https://[::1", (), False),
        ("https://ehr.example:99999/", (), False),
        ("file:///etc/passwd", (), False),
        ("ftp://ehr.example/", ("ehr.example",), False),
        ("//ehr.example/", (), False),
        ("", (), False),
    ],
)
def test_a_jwks_address_is_https_or_on_a_listed_host(url: str, hosts: tuple[str, ...], allowed: bool) -> None:
    assert allowed_url(url, hosts) is allowed
