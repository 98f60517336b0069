"""`hub serve`: whether this deployment can start, and the roles that run.

Refuses to start (CannotStart, SettingsError): settings, a schema or local tables that cannot be used.
"""

from functools import partial
from typing import Any

from hub.front.parts import audit_folder, begin_tracing, database, knowledge, loading, recorder, sending, settings
from hub.front.web import make_app, watched
from hub.front.working import make_beside, make_inbox_worker, make_listener, make_other_worker
from hub.problems import CannotStart


def check_start() -> None:
    """Settings, schema and local tables are fit to start with, whichever roles run. Raises CannotStart,
    SettingsError."""
    from adapters.adt.hl7_over_http import clients_of
    from adapters.adt.listener import doors
    from adapters.adt.local_tables import local_tables, must_be_usable
    from adapters.adt.return_addresses import return_addresses
    from adapters.digests import assembly as digests
    from adapters.files.assembly import places_of
    from hub.notifications.mail import Relay
    from hub.referrals import assembly as referrals
    from hub.serving import site
    from hub.store.schema import is_usable

    chosen = settings()
    chosen.secret_key()
    site(chosen, make_app, None)
    doors(chosen)
    begin_tracing("first")  # it may miss what sends it
    if not is_usable(database()):
        raise CannotStart("The database cannot be reached or has not this release's schema: run `hub migrate`.")
    must_be_usable(local_tables(chosen.facilities_file, chosen.code_tables_dir))
    clients_of(chosen)
    return_addresses(chosen)
    Relay.of(chosen)
    referrals.check(chosen)
    places_of(loading(), chosen)
    digests.daily(sending()).check()
    check_packages()


def check_packages() -> None:
    from conformance.packages.catalog import BadPackage

    try:
        knowledge().packages  # noqa: B018 - they are read here, or not at all
    except BadPackage as error:
        raise CannotStart(f"HUB_FHIR_PACKAGES: {error}") from None


def serve(web: bool, mllp: bool, worker: bool) -> None:
    """Run the chosen roles until told to stop. Raises CannotStart."""
    from hub.apart import Apart
    from hub.audit.mover import Mover
    from hub.bulk.lane import release as release_jobs
    from hub.feeds.lane import release
    from hub.monitoring.counters import counting
    from hub.processes import PortTaken, run
    from hub.serving import announce, site
    from hub.worker import release_leases

    check_start()
    if worker:
        release_leases(database())
        release(loading())
        release_jobs(database())
    apart = 0 if database().is_sqlite or not worker else settings()["HUB_INBOX_PROCESSES"]
    beside = make_other_worker if apart else make_beside
    inside = beside() if worker and not web else None
    roles = [role for role in (inside, Apart("inbox", make_inbox_worker, apart) if apart else None) if role]
    hospitals = make_listener(inside.wake if inside else lambda: None) if mllp else None
    if hospitals:
        roles.append(hospitals)
        if recorder() is not None and not web and not worker:  # nobody else on this node moves what it records
            Mover(database(), audit_folder()).start()
    app = make_app if worker else partial(make_app, moves=True)
    made = site(settings(), app, beside if worker else None)
    try:
        with counting():
            run(
                made if web else None,
                [*roles, *_window()],
                lambda: announce(settings(), web, hospitals.addresses if hospitals else (), worker),
            )
    except (PortTaken, OSError) as error:
        raise CannotStart(f"The hub cannot listen: {error}") from None


def _window() -> list[Any]:
    """For those who watch a node without a web server. Raises PortTaken."""
    host, port = settings()["HUB_WATCH_HOST"], settings()["HUB_WATCH_PORT"]
    if not port:
        return []
    from hub.processes import refuse_taken
    from hub.rest.window import Window

    refuse_taken(host, port)
    return [Window(host, port, watched)]
