"""`hub token` against a real server; and the webhook secret."""

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from standardwebhooks.webhooks import Webhook
from werkzeug.serving import make_server

from auth import clients
from auth.blueprint import blueprint
from auth.development_token import TokenRefusedError, fetch_token, new_key, public_jwks
from auth.guard import Guard
from auth.webhook_secret import secret_for
from hub.clock import now
from hub.settings import read_settings
from hub.store.engine import Database

KEY = b"k" * 32


@pytest.fixture
def address(registered: Database) -> Iterator[str]:
    app = Flask("test")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    base = f"http://127.0.0.1:{server.server_port}"
    app.register_blueprint(blueprint(registered, read_settings({"HUB_BASE_URL": base, "HUB_SECRET_KEY": "s" * 32})))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"{base}/auth/token"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_a_new_key_registered_by_its_public_half_gets_a_token_over_http(
    registered: Database, address: str, alg: str
) -> None:
    key = new_key(alg)
    client = clients.Client("ecm-lantern", "Lantern Demo ECM", "ecm-provider", "system/Task.rs", public_jwks(key))
    with registered.write() as connection:
        clients.add(connection, client, now())
    answer = fetch_token(address, "ecm-lantern", key, "system/Task.rs")
    access = Guard(registered).access_of({"HTTP_AUTHORIZATION": f"Bearer {answer['access_token']}"})
    assert (access.who, access.role) == ("ecm-lantern", "ecm-provider")


def test_a_refusal_is_told_with_the_servers_error_code(address: str, foreign_key: dict[str, Any]) -> None:
    with pytest.raises(TokenRefusedError, match="401 invalid_client"):
        fetch_token(address, "ehr-riverbend", foreign_key, "system/Patient.rs")


def test_an_answer_that_is_no_json_is_told_too(address: str, rsa_key: dict[str, Any]) -> None:
    with pytest.raises(TokenRefusedError, match="404"):
        fetch_token(address.replace("/auth/token", "/elsewhere"), "ehr-riverbend", rsa_key, "system/Patient.rs")


def test_the_public_half_of_a_key_holds_nothing_private() -> None:
    keys = public_jwks(new_key("RS384"), new_key("ES384"))["keys"]
    assert all(not {"d", "p", "q", "dp", "dq", "qi"} & set(jwk) for jwk in keys)


def test_keys_for_other_algorithms_are_not_made() -> None:
    with pytest.raises(ValueError, match="RS384"):
        new_key("RS256")


def test_a_webhook_secret_signs_as_standard_webhooks_do() -> None:
    secret = secret_for(KEY, "ehr-riverbend", 1)
    content = Webhook(secret).sign("msg_1", now(), "{}")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert key == hmac.digest(KEY, b"webhook|ehr-riverbend|1", hashlib.sha256)
    assert content.startswith("v1,")


def test_each_client_and_generation_has_its_own_secret_and_always_the_same() -> None:
    secrets = [secret_for(KEY, client, generation) for client in ("a", "b") for generation in (1, 2)]
    assert len(set(secrets)) == 4
    assert secrets[0] == secret_for(KEY, "a", 1) != secret_for(b"x" * 32, "a", 1)


def test_a_short_hub_key_makes_no_secret() -> None:
    with pytest.raises(ValueError, match="32"):
        secret_for(b"short", "a", 1)
