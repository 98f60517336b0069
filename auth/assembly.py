"""The web side of this wing as the settings want it: the guard of the API, the pages and endpoints of OAuth.

It brings Flask: for a process that serves the web.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint

from auth.blueprint import blueprint
from auth.certificates import thumbprint_of
from auth.guard import Guard
from auth.pages_blueprint import pages_blueprint
from hub.access import Access
from hub.audit.recorder import Recorder
from hub.settings import Settings
from hub.store.engine import Database

AccessOf = Callable[[dict[str, Any]], Access]


def guard(database: Database, settings: Settings) -> AccessOf:
    """From a request's environ to what it may do."""
    shown = partial(thumbprint_of, settings=settings)
    return Guard(database, base=settings.fhir_base, shown=shown).access_of


def blueprints(database: Database, settings: Settings, guard: AccessOf, audit: Recorder | None) -> list[Blueprint]:
    """What programs ask, and what people see. `audit` records what is answered."""
    return [
        blueprint(database, settings, audit=audit),
        pages_blueprint(database, settings, guard, audit=audit),
    ]
