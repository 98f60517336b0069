"""T27: which certificate a request came with; the guard refuses a bound token that comes with another."""

import base64
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from auth.certificates import thumbprint_of, x5t_s256
from auth.guard import Guard
from hub.problems import Problem
from hub.settings import Settings
from hub.store import tables
from hub.store.engine import Database
from tests.auth.conftest import EHR
from tests.certificates import Authority, Papers

PROXY, STRANGER = "127.0.0.1", "198.51.100.7"
SETTINGS = Settings({"HUB_CLIENT_CERT_HEADER": "Client-Cert", "HUB_TRUSTED_PROXIES": ("127.0.0.0/8",)})


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Authority(tmp_path_factory.mktemp("papers"), "county").sign("plan", "plan.example")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Authority(tmp_path_factory.mktemp("others"), "county").sign("other", "plan.example")


def rfc9440(papers: Papers) -> str:
    return f":{base64.b64encode(papers.der).decode()}:"


def request(sent: str, remote: str = PROXY) -> dict[str, Any]:
    return {"REMOTE_ADDR": remote, "HTTP_CLIENT_CERT": sent}


def test_the_thumbprint_is_that_of_rfc_8705(papers: Papers) -> None:
    wanted = base64.urlsafe_b64encode(bytes.fromhex(papers.thumbprint)).rstrip(b"=").decode()
    assert x5t_s256(papers.der) == wanted
    for sent in (rfc9440(papers), quote(papers.pem), quote(papers.pem, safe="")):
        assert thumbprint_of(request(sent), SETTINGS) == wanted


def test_what_is_not_that_certificate_from_a_proxy_has_not_its_thumbprint(papers: Papers, other: Papers) -> None:
    """T27"""
    twice = f"{rfc9440(papers)}, {rfc9440(other)}"
    refused = {
        "none": (request(""), SETTINGS),
        "another": (request(rfc9440(other)), SETTINGS),
        "not from the proxy": (request(rfc9440(papers), STRANGER), SETTINGS),
        "two": (request(twice), SETTINGS),
        "its own twice": (request(f"{rfc9440(papers)},{rfc9440(papers)}"), SETTINGS),
        "garbage": (request("::"), SETTINGS),
        "no base64": (request(":%%%:"), SETTINGS),
        "half a PEM": (request(quote(papers.pem[:200])), SETTINGS),
        "no certificate": (request(f":{base64.b64encode(b'hello').decode()}:"), SETTINGS),
        "too long": (request(f":{'A' * 20_000}:"), SETTINGS),
        "the thumbprint itself": (request(x5t_s256(papers.der)), SETTINGS),
        "no header set": (request(rfc9440(papers)), Settings({"HUB_CLIENT_CERT_HEADER": ""})),
        "no proxy trusted": (
            request(rfc9440(papers)),
            Settings({"HUB_CLIENT_CERT_HEADER": "Client-Cert", "HUB_TRUSTED_PROXIES": ()}),
        ),
        "another header": (
            {"REMOTE_ADDR": PROXY, "HTTP_X_CLIENT_CERT": rfc9440(papers)},
            SETTINGS,
        ),
    }
    for environ, settings in refused.values():
        assert thumbprint_of(environ, settings) != x5t_s256(papers.der)


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    from hub.settings import read_settings

    found = read_settings({"HUB_CLIENT_CERT_HEADER": "Client-Cert", "HUB_TRUSTED_PROXIES": "none"})
    assert found["HUB_TRUSTED_PROXIES"] == ()
    assert read_settings({})["HUB_TRUSTED_PROXIES"] == ("127.0.0.0/8", "::1/128")


def test_a_bound_token_opens_with_its_certificate_only(
    registered: Database, clock: Any, web: FlaskClient, forge: Any, papers: Papers, other: Papers
) -> None:
    """T27, through the guard"""
    token = web.post("/auth/token", data=forge.form()).get_json()["access_token"]
    with registered.write() as connection:
        connection.execute(update(tables.token).values(certificate=x5t_s256(papers.der)))
    guard = Guard(registered, clock, shown=partial(thumbprint_of, settings=SETTINGS))
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    assert guard.access_of(bearer | request(rfc9440(papers))).who == EHR
    for environ in (request(""), request(rfc9440(other)), request(rfc9440(papers), STRANGER), {}):
        with pytest.raises(Problem) as told:
            guard.access_of(bearer | environ)
        assert told.value.status == 401
        assert 'error="invalid_token"' in told.value.headers["WWW-Authenticate"]
