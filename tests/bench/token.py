"""What it costs to know who asks: CPU time of this process a request, for a client with a small panel.

`check` is what each request pays: the token (cached), its limits (shared by the processes of the node, on disk as
in a running hub) and one predicate with its values. A lookup that is not cached comes once in ten seconds a token.
The token endpoint answers signed assertions (ES384), each one good once. What a PostgreSQL server does meanwhile
is not counted.
"""

import json
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from flask import Flask

from auth import clients
from auth.blueprint import blueprint
from auth.client_words import Client
from auth.development_token import new_key, public_jwks, token_request
from auth.discovery import TOKEN_PATH, token_url
from auth.guard import Guard
from hub import clock
from hub.rest.limits import Rates, Throttle
from hub.rest.peers import Peers
from hub.settings import read_settings
from hub.store.sight import condition
from tests.bench.filled import SMALL_PANEL
from tests.bench.grounds import Ground, Running
from tests.bench.http_load import HOST
from tests.bench.measures import Figure, quantile

CLIENT, ROLE, SCOPE = "bench-panel", "ecm-provider", "system/*.rs"
UNREACHED = 10**6  # requests a second that are allowed: counted all the same
BATCH = 50  # calls between two looks at the clock
Environ = dict[str, Any]


def token(ground: Ground) -> Iterator[Figure]:
    with ground.hub(ground.size.demo) as running:
        key = _registered(running)
        settings = read_settings(running.hub.environment)
        app = Flask("bench")
        app.register_blueprint(blueprint(running.database, settings))
        count = ground.size.tokens
        forms = [
            urlencode(token_request(token_url(settings.base_url), CLIENT, key, SCOPE)) for _ in range(count + 1)
        ]
        issued = _answer(app, forms[0])
        endless = iter(forms[1:])
        yield _figure(ground, "issue", _each(lambda: _answer(app, next(endless)), count))
        environ: Environ = {"HTTP_AUTHORIZATION": f"Bearer {issued}", "REMOTE_ADDR": HOST, "QUERY_STRING": ""}
        yield from _checks(ground, running, settings.fhir_base, environ)


def _registered(running: Running) -> Any:
    """The private key of a client of a panel's provider."""
    key = new_key("ES384")
    client = Client(CLIENT, "Bench", ROLE, SCOPE, public_jwks(key), organization=SMALL_PANEL)
    running.database.writing(lambda connection: clients.add(connection, client, clock.now()))
    return key


def _answer(app: Flask, form: str) -> str:
    """The access token that the token endpoint gives."""
    body = form.encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": TOKEN_PATH,
        "SERVER_NAME": HOST,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": HOST,
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": BytesIO(),
    }
    answer: dict[str, Any] = json.loads(b"".join(app.wsgi_app(environ, _started)))
    return str(answer["access_token"])


def _started(*_: Any) -> Callable[[bytes], object]:
    """The status and the headers of an answer: what it holds tells whether it is the right one."""
    return bytes.__len__


def _checks(ground: Ground, running: Running, base: str, environ: Environ) -> Iterator[Figure]:
    database, times = running.database, ground.size.checks
    guard = Guard(database, base=base)
    access = guard.access_of(environ)
    assert access.role == ROLE
    assert access.sight.holders
    throttle = Throttle(Rates(UNREACHED, UNREACHED), running.hub.folder, b"of the bench", Peers())
    with database.read() as connection:
        parts: dict[str, Callable[[], Any]] = {
            "cached": lambda: guard.access_of(environ),
            "limits": lambda: throttle.take(access.who, environ),
            "predicate": lambda: condition(connection, access.sight, "resource"),
        }
        for name, work in parts.items():
            yield _figure(ground, name, _batches(work, times))

        def check() -> None:
            for work in parts.values():
                work()

        yield _figure(ground, "check", _batches(check, times))
    guards = [Guard(database, base=base) for _ in range(ground.size.tokens)]
    yield _figure(ground, "lookup", _each(lambda: guards.pop().access_of(environ), len(guards)))


def _each(work: Callable[[], Any], times: int) -> list[float]:
    """Microseconds of CPU time of each call."""
    found = []
    for _ in range(times):
        began = time.process_time_ns()
        work()
        found.append((time.process_time_ns() - began) / 1000)
    return found


def _batches(work: Callable[[], Any], times: int) -> list[float]:
    """The same of calls that are too short for that, by batches."""

    def batch() -> None:
        for _ in range(BATCH):
            work()

    return [each / BATCH for each in _each(batch, max(1, times // BATCH))]


def _figure(ground: Ground, name: str, found: list[float]) -> Figure:
    more = {"p95": round(quantile(found, 0.95), 1)}
    return Figure(f"token.{name}", round(quantile(found, 0.5), 1), ground.name, more=more)
