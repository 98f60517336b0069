"""An empty Flask application in granian, served as the hub serves its own: `python -m tests.bench.empty PORT`."""

import sys

from flask import Flask
from granian import Granian
from granian.constants import Interfaces


def application() -> Flask:
    app = Flask("empty")
    app.add_url_rule("/", view_func=lambda: b"{}")
    return app


if __name__ == "__main__":
    Granian(
        "tests.bench.empty",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=8,
        backpressure=8,
        log_level="warning",  # type: ignore[arg-type]
    ).serve(target_loader=application, wrap_loader=False)
