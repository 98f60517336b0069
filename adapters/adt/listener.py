"""The MLLP listener as the settings want it: its address, its limits, TLS, and who may send for whom.

Refuses to start (CannotStart, SettingsError): with TLS files that do not belong together, with certificates or a
table of senders that cannot be used.
"""

from collections.abc import Callable

from adapters.adt.group_commit import Accept
from adapters.adt.mllp_server import MllpListener
from adapters.adt.senders import Senders, senders
from adapters.adt.tls import Files, ServerTls
from hub import clock
from hub.problems import CannotStart
from hub.settings import Settings


def listener(settings: Settings, accept: Accept, on_accepted: Callable[[], None]) -> MllpListener:
    """`accept` makes arrivals durable; `on_accepted` is called when there is new work. Raises CannotStart."""
    tls, bound = _secured(settings)
    return MllpListener(
        settings["HUB_MLLP_HOST"],
        settings["HUB_MLLP_PORT"],
        accept=accept,
        clock=clock.now,
        max_bytes=settings["HUB_MLLP_MAX_BYTES"],
        idle_seconds=settings["HUB_MLLP_IDLE_SECONDS"],
        production=settings["HUB_ADT_PRODUCTION"],
        on_accepted=on_accepted,
        tls=tls,
        senders=bound,
    )


def _secured(settings: Settings) -> tuple[ServerTls | None, Senders | None]:
    """TLS and who may send for whom; None where the settings want none."""
    files = settings.tls_files("HUB_MLLP_TLS")
    table = settings.path("HUB_MLLP_SENDERS")
    try:
        return (ServerTls(Files(*files)) if files else None), (senders(table) if table else None)
    except (ValueError, OSError) as error:
        raise CannotStart(f"MLLP cannot be secured as the settings say: {error}") from None
