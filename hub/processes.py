"""The processes of a node: a web process (granian) in which the worker runs too, and around it the MLLP listener.

`hub serve` is two processes: the first listens for hospitals and watches the second, which answers HTTP and works.
An acknowledgment therefore never waits for Python to finish something else. With PostgreSQL, messages of the inbox
are processed in further ones (hub.apart). `--web`, `--mllp`, `--worker` run one role alone; with PostgreSQL any
number of each may run, with SQLite they take turns to write (hub.store.engine).
With a certificate (Web.tls) it answers https, TLS 1.2 and 1.3; granian does not tell the application whose
certificate a client showed.
Ctrl-C or SIGTERM stops all (hub.stopping); a web process whose first process was killed stops by itself.
"""

import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from hub import stopping
from hub.listening import let_nobody_in

log = logging.getLogger("hub.processes")
PR_SET_PDEATHSIG = 1
MOST_HEADERS = 48 * 1024  # bytes of a request's first line and headers; more is answered 431
CONNECTIONS = 1024  # of each web process, waiting or being answered


class Role(Protocol):
    """Something that runs in threads of its own."""

    def start(self) -> Any: ...

    def stop(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Several:
    """Roles that run as one; `wake` is for the first."""

    roles: tuple[Any, ...]

    def start(self) -> None:
        for role in self.roles:
            role.start()

    def stop(self) -> None:
        for role in reversed(self.roles):
            role.stop()

    def wake(self) -> None:
        self.roles[0].wake()


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files. With `client_ca` nobody connects without a certificate of these authorities."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Web:
    """How to serve HTTP. `beside` makes a role that runs in each web process; both are importable functions. For
    `drain` seconds after SIGTERM it goes on, and says at `/readyz` that it will not."""

    host: str
    port: int
    processes: int
    threads: int
    app: Callable[[], Any]
    beside: Callable[[], Role] | None = None
    tls: Tls | None = None
    drain: float = 0


def run(web: Web | None, roles: list[Role], ready: Callable[[], None]) -> None:
    """Run until SIGINT or SIGTERM. `ready` is called when everything listens."""
    for role in roles:
        role.start()
    ending = stopping.Together(roles)
    try:
        if web is None:
            _wait_for_signal(ready)
        else:
            _serve(web, ready, ending.begin)
    finally:
        ending.end()


def _wait_for_signal(ready: Callable[[], None]) -> None:
    told = stopping.Told()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    ready()
    told.wait()


def _serve(web: Web, ready: Callable[[], None], beside_ends: Callable[[], None]) -> None:
    refuse_taken(web.host, web.port)
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings

    # a forked process would share the listener's database connections, which SQLite and PostgreSQL both forbid
    multiprocessing.set_start_method("spawn", force=True)
    server = _ending_gently(web.drain, beside_ends)(
        target="wsgi:app",
        address=web.host,
        port=web.port,
        interface=Interfaces.WSGI,
        workers=web.processes,
        blocking_threads=web.threads,
        # connections, not requests: with as many as threads, those that stay open would shut out all others
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(max_buffer_size=MOST_HEADERS),
        log_level="warning",
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=stopping.FINISH_SECONDS,
        **_tls(web.tls),
    )
    keep_loaded()
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # glibc else keeps memory for each thread of the web process
    server.on_startup(ready)
    server.serve(
        spawn_target=partial(_web_process, web.port, web.beside),
        target_loader=partial(_loaded, web.app),
        wrap_loader=False,
    )


def _ending_gently(drain: float, beside_ends: Callable[[], None]) -> Any:
    """granian's server, whose end begins with a farewell."""
    from granian import Granian

    class Server(Granian):  # type: ignore[misc,valid-type]
        def __init__(self, *args: Any, **options: Any):
            super().__init__(*args, **options)
            self.farewell = stopping.Farewell(drain, self._tell)

        def signal_handler_interrupt(self, number: int, *frame: Any) -> None:
            self.farewell.told(number)
            super().signal_handler_interrupt(number, *frame)

        def shutdown(self, exit_code: int = 0) -> None:
            self.farewell.wait()
            beside_ends()
            super().shutdown(exit_code)

        def _tell(self) -> None:
            for process in self.wrks:
                if process.is_alive():
                    os.kill(process.inner.pid, signal.SIGUSR1)

    return Server


def _tls(files: Tls | None) -> dict[str, Any]:
    if files is None:
        return {}
    from granian.constants import SSLProtocols

    return {
        "ssl_cert": files.certificate,
        "ssl_key": files.key,
        "ssl_protocol_min": SSLProtocols.tls12,
        "ssl_ca": files.client_ca,
        "ssl_client_verify": files.client_ca is not None,
    }


def _loaded(app: Callable[[], Any]) -> Any:
    made = app()
    keep_loaded()
    return made


def keep_loaded() -> None:
    """What is loaded by now stays for the life of the process: the garbage collector need not look at it again. A
    full collection of it takes 100 ms, and others wait meanwhile for the thread that is about to commit."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    # who holds the write turn must not wait 5 ms for Python's lock each time the database answers
    sys.setswitchinterval(0.0005)


class PortTaken(Exception):
    """Another process listens there. granian itself would share the port with it, and both would get requests."""


def refuse_taken(host: str, port: int) -> None:
    """Raises PortTaken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(f"{host}:{port} cannot be listened on: {error.strerror}") from None


def _web_process(port: int, beside: Callable[[], Role] | None, *args: Any, **options: Any) -> None:
    """Runs in the web process, around granian's own worker."""
    from granian import _signals
    from granian.server.mp import MPServer

    stopping.begin_when_told()
    die_with_parent()
    role = beside() if beside else None
    ending = stopping.Together([role] if role else [])
    _signals.set_sync_signals = partial(_stop_once, port, ending.begin)
    if role:
        role.start()
    try:
        MPServer._spawn_wsgi_worker(*args, **options)
    finally:
        ending.end()


def _stop_once(port: int, beside_ends: Callable[[], None]) -> Any:
    """In place of granian's own handlers. Ctrl-C brings the web process two signals, the terminal's SIGINT and the
    first process' SIGTERM, and granian 2.8 then waits for ever, half of the time: only SIGTERM counts, and once.
    granian then closes the port, and finishes what it answers."""
    from granian._granian import WorkerSignal

    event, told = WorkerSignal(), stopping.Told()

    def end() -> None:
        let_nobody_in(port)
        event.set()

    def stop(*_: Any) -> None:
        if not told.is_set():
            told.set()
            stopping.begin()
            beside_ends()
            threading.Thread(target=end, name="stopping").start()

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    return event


def die_with_parent() -> None:
    """Ask Linux to stop this process when its parent is gone; elsewhere nothing happens. The parent may be gone
    before this process has started whole: who it was, it said itself."""
    starter = multiprocessing.parent_process()
    parent = starter.pid if starter else os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
