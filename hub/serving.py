"""What `hub serve` takes from the settings: the web server with its TLS, and what is said when everything listens.

Refuses to start (CannotStart, SettingsError): with TLS files that do not belong together or cannot be used.
"""

import ssl
import sys
from collections.abc import Callable, Sequence
from typing import Any

from hub.problems import CannotStart
from hub.processes import Tls, Web
from hub.settings import Settings


def site(settings: Settings, app: Callable[[], Any], beside: Callable[[], Any] | None) -> Web:
    """The web server; `app` and `beside` are made in its processes."""
    return Web(
        settings["HUB_HTTP_HOST"],
        settings["HUB_HTTP_PORT"],
        settings["HUB_WEB_PROCESSES"],
        settings["HUB_WEB_THREADS"],
        app,
        beside,
        _tls(settings),
        settings["HUB_DRAIN_SECONDS"],
    )


def _tls(settings: Settings) -> Tls | None:
    files = settings.tls_files("HUB_TLS")
    if files is None:
        return None
    cert, key, ca = files
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
        context.load_cert_chain(cert, key)
    except OSError as error:
        raise CannotStart(f"The certificate of the web server cannot be used: {error}") from None
    return Tls(cert, key, ca)


def announce(settings: Settings, web: bool, mllp: Sequence[str], worker: bool) -> None:
    """Say on the terminal what runs and where. `mllp`: the addresses listened on."""
    if web:
        _say(f"FHIR   {settings.fhir_base}   (open: {settings.fhir_base}/metadata)")
        _say(f"OAuth  {settings.base_url}/auth/token")
    for address in mllp:
        _say(f"MLLP   {address}")
    if worker:
        _say("Worker running")
    _say("Ctrl-C stops.")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
