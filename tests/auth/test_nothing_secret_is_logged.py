"""No token, assertion, jti, scope or stranger's text in a log, at any level and whoever writes it."""

import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from auth.guard import Guard
from hub.problems import Problem

CANARY = "ZQCANARY"


def test_neither_an_issued_token_nor_its_assertion_is_logged(
    web: FlaskClient, forge: Any, guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assertion = forge.assertion(jti=CANARY)
    token = web.post("/auth/token", data=forge.form(assertion)).get_json()["access_token"]
    guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {token}"})
    assert caplog.records  # Authlib does write at this level
    for secret in (token, CANARY, assertion, *assertion.split(".")):
        assert secret not in caplog.text


def test_what_strangers_send_is_not_logged(
    web: FlaskClient, forge: Any, guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    used = forge.form(forge.assertion(jti=CANARY))
    forms = [
        used,
        used,
        forge.form(forge.assertion(iss=CANARY, sub=CANARY)),
        forge.form(forge.assertion(header={"kid": CANARY})),
        forge.form(forge.assertion(header={"jku": f"https://{CANARY}"})),
        forge.form(forge.assertion(aud=CANARY)),
        forge.form(CANARY),
        forge.form(scope=CANARY),
        forge.form(grant_type=CANARY),
    ]
    answers = [web.post("/auth/token", data=form) for form in forms]
    assert [answer.status_code for answer in answers] == [200, 401, 401, 401, 401, 401, 401, 400, 400]
    for environ in ({"HTTP_AUTHORIZATION": f"Bearer {CANARY}"}, {"QUERY_STRING": f"access_token={CANARY}"}):
        with pytest.raises(Problem) as raised:
            guard.access_of(environ)
        assert CANARY not in str(raised.value)
    assert "Token refused: replay" in caplog.text
    assert CANARY not in caplog.text
    assert all(CANARY not in answer.text for answer in answers)
