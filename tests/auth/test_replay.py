"""A jti works once, also when all ask at the same instant (T12; RFC 7523 section 3; Ory Hydra had this wrong)."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from auth.housekeeping import forget_expired
from hub.store import tables
from hub.store.engine import Database

THREADS = 32


def test_32_threads_on_two_nodes_with_one_assertion_get_exactly_one_token(
    app: Flask, other_node: Flask, forge: Any, registered: Database
) -> None:
    form = forge.form()
    start = Barrier(THREADS)

    def ask(number: int) -> int:
        start.wait()
        return (app, other_node)[number % 2].test_client().post("/auth/token", data=form).status_code

    with ThreadPoolExecutor(THREADS) as pool:
        answers = sorted(pool.map(ask, range(THREADS)))
    assert answers == [200] + [401] * (THREADS - 1)
    with registered.read() as connection:
        assert len(connection.execute(select(tables.token)).all()) == 1
        assert len(connection.execute(select(tables.assertion)).all()) == 1


@pytest.mark.parametrize("pairs", [25, pytest.param(1000, marks=pytest.mark.long)])
def test_of_a_pair_on_two_nodes_at_the_same_instant_one_gets_a_token_sec_06(
    app: Flask, other_node: Flask, forge: Any, registered: Database, pairs: int
) -> None:
    forms = [forge.form() for _ in range(pairs)]
    start = Barrier(2)

    def ask(node: Flask) -> list[int]:
        web, answers = node.test_client(), []
        for form in forms:
            start.wait()
            answers.append(web.post("/auth/token", data=form).status_code)
        return answers

    with ThreadPoolExecutor(2) as pool:
        here, there = pool.map(ask, (app, other_node))
    assert [sorted(pair) for pair in zip(here, there, strict=True)] == [[200, 401]] * pairs
    with registered.read() as connection:
        assert len(connection.execute(select(tables.token)).all()) == pairs


def test_threads_with_their_own_assertions_get_a_token_each(app: Flask, forge: Any) -> None:
    forms = [forge.form() for _ in range(THREADS)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda form: app.test_client().post("/auth/token", data=form), forms))
    assert [answer.status_code for answer in answers] == [200] * THREADS
    assert len({answer.get_json()["access_token"] for answer in answers}) == THREADS


def test_a_request_without_a_token_does_not_use_up_its_assertion(app: Flask, forge: Any) -> None:
    assertion = forge.assertion()
    web = app.test_client()
    assert web.post("/auth/token", data=forge.form(assertion, scope="system/Patient.d")).status_code == 400
    assert web.post("/auth/token", data=forge.form(assertion)).status_code == 200


def test_a_replay_is_refused_until_the_assertion_is_past_use_and_then_forgotten(
    app: Flask, forge: Any, registered: Database, clock: Any
) -> None:
    form = forge.form(forge.assertion(exp=int(clock().timestamp()) + 300))
    web = app.test_client()
    assert web.post("/auth/token", data=form).status_code == 200
    for seconds, gone in ((299, 0), (50, 0), (20, 1), (7_180, 1)):  # the token goes, and two hours later the jti
        clock.move(seconds)
        with registered.write() as connection:
            assert forget_expired(connection, clock()) == gone
        assert web.post("/auth/token", data=form).status_code == 401


def test_housekeeping_goes_in_batches_and_leaves_what_is_still_good(
    app: Flask, forge: Any, registered: Database, clock: Any
) -> None:
    web = app.test_client()
    for _ in range(5):
        assert web.post("/auth/token", data=forge.form()).status_code == 200
    clock.move(7_600)
    fresh = web.post("/auth/token", data=forge.form())
    with registered.write() as connection:
        assert [forget_expired(connection, clock(), batch=3) for _ in range(3)] == [6, 4, 0]
    with registered.read() as connection:
        assert len(connection.execute(select(tables.token)).all()) == 1
        assert len(connection.execute(select(tables.assertion)).all()) == 1
    assert fresh.status_code == 200
