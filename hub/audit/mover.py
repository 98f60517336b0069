"""Moves what was recorded into the chain, every second, on a node whose worker does not.

A journal is a file of its node: what a web process wrote there nobody else can read.
"""

import logging
import threading
from pathlib import Path

from hub.audit import store
from hub.settling import named
from hub.store.engine import Database

log = logging.getLogger("hub.audit")
SECONDS = 1.0


class Mover:
    """A thread of this process."""

    def __init__(self, database: Database, folder: Path, seconds: float = SECONDS):
        self._database, self._folder, self._seconds = database, folder, seconds
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="audit", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                store.move(self._database, self._folder)
            except Exception as error:  # whatever it is, what was recorded is durable: it is moved later
                log.warning("Records could not join the audit now: %s", named(error))
