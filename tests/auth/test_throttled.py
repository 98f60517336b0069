"""Who sends wrong assertions from one address is told to wait; the endpoint's answers are kept by nobody."""

from typing import Any

import pytest
from flask import Flask

from hub.rest.limits import Rates, Throttle
from hub.rest.peers import Peers
from hub.rest.protection import Protection

KEY = b"a key of the tests, of 32 letters"
PROXY = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.fixture
def guarded(app: Flask) -> Flask:
    Protection("https://hub.example/fhir", Throttle(Rates(failures_a_minute=3), None, KEY, Peers())).over(app)
    return app


def test_wrong_assertions_are_counted_by_address(guarded: Flask, forge: Any) -> None:
    web = guarded.test_client()
    for _ in range(3):
        assert web.post("/auth/token", data=forge.form("no.good.assertion")).status_code == 401
    for form in (forge.form("no.good.assertion"), forge.form()):  # not even a right one
        answer = web.post("/auth/token", data=form)
        assert answer.status_code == 429
        assert answer.get_json()["error"] == "temporarily_unavailable"
        assert 1 <= int(answer.headers["Retry-After"]) <= 20
    elsewhere = web.post("/auth/token", data=forge.form(), headers={"X-Forwarded-For": "198.51.100.7"})
    assert elsewhere.status_code == 200


def test_right_assertions_are_not_counted(guarded: Flask, forge: Any) -> None:
    web = guarded.test_client()
    assert {web.post("/auth/token", data=forge.form()).status_code for _ in range(8)} == {200}


def test_answers_of_this_wing_are_protected_too(guarded: Flask, forge: Any) -> None:
    web = guarded.test_client()
    for answer in (
        web.post("/auth/token", data=forge.form()),
        web.post("/auth/token", data={}),
        web.get("/auth/token"),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Strict-Transport-Security"]
    assert web.get("/.well-known/smart-configuration").headers["Cache-Control"] == "no-cache"
