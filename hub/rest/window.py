"""A small HTTP server for what Prometheus and a balancer ask of a node that has no web server: `hub serve --mllp`
and `--worker` (HUB_WATCH_PORT). It answers what hub.rest.watched answers, and nothing else.

Refuses: any other path (404).
"""

import threading
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

SILENT_SECONDS = 10  # who says nothing for so long is let go


class Quiet(WSGIRequestHandler):
    """Says nothing on the terminal, as the web server does."""

    timeout = SILENT_SECONDS

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class Window:
    """A role of its process (hub.processes.Role). `watched` makes the blueprint, when it starts."""

    def __init__(self, host: str, port: int, watched: Callable[[], Blueprint]):
        self._host, self._port, self._watched = host, port, watched
        self._server: BaseWSGIServer | None = None

    def start(self) -> None:
        app = Flask("window", static_folder=None)
        app.register_blueprint(self._watched())
        self._server = make_server(self._host, self._port, app, threaded=True, request_handler=Quiet)
        threading.Thread(target=self._server.serve_forever, name="window", daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
