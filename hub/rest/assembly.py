"""The web application as the settings want it; what comes from the wings is handed in."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Blueprint, Flask

from hub.access import Access
from hub.audit.recorder import Recorder
from hub.operations.call import Engines
from hub.rest.app import create_app
from hub.rest.beside import add
from hub.rest.doors import Beside
from hub.rest.hub import Hub
from hub.rest.limits import Rates, Throttle
from hub.rest.lingering import Lingering
from hub.rest.peers import Peers, networks
from hub.rest.shared_limits import Sharing
from hub.search.query import Limits
from hub.search.terms import Terms
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Transactions

RATES = ("HUB_RATE_PER_SECOND", "HUB_RATE_BURST", "HUB_DAILY_QUOTA", "HUB_FAILURES_PER_MINUTE")


def hub_of(
    database: Database,
    transactions: Transactions,
    settings: Settings,
    *,
    terms: Terms,
    capabilities: Callable[[], dict[str, Any]],
    guard: Callable[[dict[str, Any]], Access],
    shell: Callable[[dict[str, Any]], Any],
    engines: Engines,
    audit: Recorder | None,
) -> Hub:
    """What the interactions work with."""
    return Hub(
        database=database,
        transactions=transactions,
        base=settings.fhir_base,
        secret=settings.secret_key(),
        limits=Limits(settings["HUB_PAGE_SIZE"], settings["HUB_MAX_PAGE_SIZE"], settings.fhir_base, terms),
        cursor_seconds=settings["HUB_CURSOR_SECONDS"],
        most_entries=settings["HUB_MAX_BUNDLE_ENTRIES"],
        capabilities=capabilities,
        guard=guard,
        shell=shell,
        engines=engines,
        audit=audit,
    )


def application(
    hub: Hub, settings: Settings, blueprints: Iterable[Blueprint], beside: Iterable[Beside] = ()
) -> Flask:
    """The WSGI application with the blueprints of the wings, and what they take `beside` the FHIR API."""
    most, origins = settings["HUB_MAX_BODY_BYTES"], settings["HUB_CORS_ORIGINS"]
    peers = Peers(networks(settings["HUB_TRUSTED_PROXIES"]))
    throttle = _throttle(settings, peers, tells=not hub.database.is_sqlite)
    Sharing(hub.database, throttle.books, settings.data_dir).start()
    app = create_app(hub, most, blueprints, origins, throttle)
    for door in beside:
        add(app, hub, throttle, door)
    app.wsgi_app = Lingering(app.wsgi_app, peers.is_proxy, settings["HUB_WEB_THREADS"])  # type: ignore[method-assign]
    return app


def _throttle(settings: Settings, peers: Peers, tells: bool) -> Throttle:
    rates = Rates(*(settings[name] for name in RATES))
    return Throttle(rates, settings.data_dir, settings.secret_key(), peers, tells=tells)
