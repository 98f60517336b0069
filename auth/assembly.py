"""The web side of this wing as the settings want it: the guard of the API, the pages and endpoints of OAuth.

It brings Flask: for a process that serves the web.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Blueprint

from auth.blueprint import blueprint
from auth.certificates import thumbprint_of
from auth.guard import Guard
from auth.pages_blueprint import pages_blueprint
from auth.referral_access import access_of_link
from hub.access import Access
from hub.audit.recorder import Recorder
from hub.referrals.assembly import configured
from hub.referrals.form_desk import FormDesk, Keep
from hub.referrals.link_desk import LinkDesk
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Transactions

AccessOf = Callable[[dict[str, Any]], Access]


def guard(database: Database, settings: Settings) -> AccessOf:
    """From a request's environ to what it may do."""
    shown = partial(thumbprint_of, settings=settings)
    return Guard(database, base=settings.fhir_base, shown=shown).access_of


def blueprints(
    transactions: Transactions,
    settings: Settings,
    guard: AccessOf,
    audit: Recorder | None,
    services: Callable[[], Mapping[str, str]],
    keep: Keep,
) -> list[Blueprint]:
    """What programs ask, and what people see; `transactions` are those of clients. `audit` records what is
    answered; `services` are what may be asked for by the form for referrals, `keep` makes one durable."""
    database, said = transactions.database, configured(settings)
    desk = LinkDesk(transactions, access_of_link, said.zone, settings.secret_key())
    form = FormDesk(said.organization, services, keep, said.zone, settings.secret_key())
    return [
        blueprint(database, settings, audit=audit),
        pages_blueprint(database, settings, guard, audit=audit, desk=desk, form=form),
    ]
