"""The front door: settings become parts, parts become routes, roles and commands. It alone knows everyone.

`app` is the WSGI application (`gunicorn wsgi:app` serves it, too), `main` the command `hub`.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from hub import clock, inbox, outbox
from hub.settings import Settings, read_settings
from hub.store.engine import Database
from hub.transactions import Change, Transactions

VERSION = "0.1.0"
CONSENT_TABLES = ("HUB_CONSENT_FORMS", "HUB_CONSENT_CATEGORIES")
MOST_DELETED = 500  # by one conditional delete, where the deployment allows it several
KEPT = timedelta(days=7) // clock.MICROSECOND  # work that is done, so that a delivery can be looked up


@dataclass(frozen=True)
class Parts:
    """What every process of the hub has. `transactions` writes for clients, `own` for the hub itself."""

    settings: Settings
    database: Database
    transactions: Transactions
    own: Transactions
    recorder: Any = None


@cache
def settings() -> Settings:
    return read_settings(os.environ)


@cache
def database() -> Database:
    return Database(settings().database_url)


@cache
def spool() -> Any:
    """The arrivals beside a SQLite database."""
    from hub.spool import Spool

    return Spool(database())


def moved() -> Database:
    """The database with all arrivals in its inbox: for people who look into it."""
    while database().is_sqlite and spool().move():
        pass
    return database()


def audit_folder() -> Path:
    """Where the processes of this node write down what they answer."""
    return settings().data_dir / "audit"


@cache
def recorder() -> Any:
    """What records the interactions of this process; None where the settings want none."""
    if not settings()["HUB_AUDIT"]:
        return None
    from hub.audit.journal import Journal
    from hub.audit.recorder import Recorder

    return Recorder(database(), Journal(audit_folder()))


def _own_records() -> Any:
    """What records the writes that no request asked for."""
    mine = recorder()
    if mine is None:
        return None
    from hub.audit.recorder import About

    return lambda entries, access: mine.along(About(""), entries, access)


@cache
def parts() -> Parts:
    """The parts of this process, made at first use."""
    _use_local_tables(settings())
    base = settings().fhir_base
    key = settings().secret_key()
    return Parts(
        settings(),
        database(),
        Transactions(
            database(),
            lambda *write: knowledge().of_clients(*write),
            _effects,
            base,
            deletes=MOST_DELETED if settings()["HUB_CONDITIONAL_DELETE"] == "multiple" else 1,
            integrity=settings()["HUB_REFERENTIAL_INTEGRITY"],
            part2=_part2(),
            audit=_own_records(),
            header_key=key,
        ),
        Transactions(
            database(),
            lambda *write: knowledge().of_the_hub(*write),
            _effects,
            base,
            part2=_part2(),
            audit=_own_records(),
            header_key=key,
        ),
        recorder(),
    )


def _use_local_tables(chosen: Settings) -> None:
    """This deployment's own rows of the tables that say what is sensitive and what a form of consent means. Raises
    CannotStart."""
    import csv

    from hub.rights import consent_forms, label_table

    try:
        if chosen["HUB_LABEL_CODES_FILE"]:
            with Path(chosen["HUB_LABEL_CODES_FILE"]).open(encoding="utf-8") as file:
                label_table.extend(csv.DictReader(file))
        paths = (Path(chosen[name]) if chosen[name] else None for name in CONSENT_TABLES)
        consent_forms.use(consent_forms.with_local(*paths))
    except (ValueError, KeyError, OSError) as error:
        raise CannotStart(f"A local table of labels or consents cannot be used: {error}") from None


def _part2() -> Any:
    from hub.rights.part2 import Part2Sources

    return Part2Sources.of(settings()["HUB_PART2_PROGRAMS"])


def _part2_beside() -> Any:
    """For a command that labels what is stored: this deployment's own tables count, too."""
    _use_local_tables(settings())
    return _part2()


def _effects(changes: Sequence[Change]) -> Iterator[Mapping[str, Any]]:
    """What a commit causes: events for subscribers, handshakes, follow-ups."""
    from hub import transitional_care
    from hub.notifications import events

    yield from events.effects(changes)
    yield from transitional_care.effects(changes)


@cache
def knowledge() -> Any:
    """The conformance.knowledge.Knowledge of this process."""
    from conformance.knowledge import Knowledge
    from hub.operations.terminology import by_url

    return Knowledge(settings(), by_url(database(), settings().fhir_base))


def _begin_log() -> None:
    """Lines to stderr, in each process of the hub."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for ours in ("hub", "auth", "adapters"):
        logging.getLogger(ours).setLevel(settings()["HUB_LOG_LEVEL"])


def make_app(moves: bool = False) -> Any:
    """The WSGI application of this process. `moves`: nobody else on this node brings its records into the audit."""
    _begin_log()
    from auth.blueprint import blueprint
    from auth.certificates import thumbprint_of
    from auth.guard import Guard
    from auth.pages_blueprint import pages_blueprint
    from conformance.terminology.terms import LibraryTerms
    from conformance.validation.structure import validate_bundle_shell
    from hub.audit.mover import Mover
    from hub.rest.app import create_app
    from hub.rest.hub import Hub
    from hub.search.query import Limits

    mine = parts()
    chosen = mine.settings
    if chosen["HUB_SEARCH_SECONDS"]:
        mine.database.limit_reads(chosen["HUB_SEARCH_SECONDS"])
    hub = Hub(
        database=mine.database,
        transactions=mine.transactions,
        base=chosen.fhir_base,
        secret=chosen.secret_key(),
        limits=Limits(
            chosen["HUB_PAGE_SIZE"],
            chosen["HUB_MAX_PAGE_SIZE"],
            chosen.fhir_base,
            LibraryTerms(lambda: knowledge().terminology),
        ),
        cursor_seconds=chosen["HUB_CURSOR_SECONDS"],
        most_entries=chosen["HUB_MAX_BUNDLE_ENTRIES"],
        capabilities=_capabilities(chosen),
        guard=Guard(mine.database, base=chosen.fhir_base, shown=partial(thumbprint_of, settings=chosen)).access_of,
        shell=partial(validate_bundle_shell, conditional_references=True),
        engines=_engines(chosen),
        audit=recorder(),
    )
    if moves and hub.audit is not None:
        Mover(mine.database, audit_folder()).start()
    blueprints = [
        blueprint(mine.database, chosen, audit=hub.audit),
        pages_blueprint(mine.database, chosen, hub.guard, audit=hub.audit),
    ]
    return create_app(hub, chosen["HUB_MAX_BODY_BYTES"], blueprints, chosen["HUB_CORS_ORIGINS"], _throttle(chosen))


def _throttle(chosen: Settings) -> Any:
    from hub.rest.limits import Rates, Throttle
    from hub.rest.peers import Peers, networks

    names = ("HUB_RATE_PER_SECOND", "HUB_RATE_BURST", "HUB_DAILY_QUOTA", "HUB_FAILURES_PER_MINUTE")
    rates = Rates(*(chosen[name] for name in names))
    return Throttle(rates, chosen.data_dir, chosen.secret_key(), Peers(networks(chosen["HUB_TRUSTED_PROXIES"])))


def _capabilities(chosen: Settings) -> Any:
    import msgspec

    from auth.discovery import AUTHORIZE_PATH, token_url
    from conformance.capability_statement import capability_statement
    from hub.fhir import json
    from hub.search import custom

    started = clock.instant(clock.micros(clock.now()))
    deletes = chosen["HUB_CONDITIONAL_DELETE"]
    about = (chosen.fhir_base, token_url(chosen.base_url), VERSION, started, deletes)
    authorize = chosen.base_url + AUTHORIZE_PATH

    @custom.renewed
    @cache
    def statement() -> Any:
        # it is large: written once
        return msgspec.Raw(json.write(capability_statement(*about, knowledge().packages, authorize)))

    return statement


def _engines(chosen: Settings) -> Any:
    """What answers $validate and the terminology operations; made when they are first asked."""
    from conformance.operations import engines
    from conformance.terminology_capabilities import terminology_capabilities

    started = clock.instant(clock.micros(clock.now()))
    known = knowledge()
    capabilities = partial(terminology_capabilities, chosen.fhir_base, VERSION, started)
    from auth.notices import NoticeRights

    rights = NoticeRights(database(), chosen.secret_key())
    made = engines(lambda: known.validator, lambda: known.terminology, capabilities)
    return replace(made, sight_of=rights.sight_of)


def make_worker() -> Any:
    """The worker of this process: hospital messages, notices, follow-ups, housekeeping."""
    from adapters.adt.local_tables import local_tables
    from adapters.adt.process import SOURCE, Processor
    from auth import throttle
    from auth.housekeeping import forget_expired
    from hub.audit import store as audit
    from hub.notifications import stored_headers
    from hub.notifications.events import EVENT
    from hub.notifications.fan_out import FanOut
    from hub.reindex import Reindex
    from hub.store import idempotency
    from hub.transitional_care import KIND, FollowUp
    from hub.worker import Chore, Worker

    mine = parts()
    chosen = mine.settings
    tables = local_tables(chosen.facilities_file, chosen.code_tables_dir)
    reindex = Reindex(mine.database, chosen.fhir_base, part2=_part2())
    minutes = chosen["HUB_SIGN_IN_LOCK_MINUTES"]

    def forget_failures(connection: Any) -> int:
        return throttle.forget(connection, clock.now(), minutes)

    return Worker(
        mine.database,
        messages={SOURCE: Processor(mine.database, mine.own, tables, chosen["HUB_CIN_SYSTEM"])},
        work={
            EVENT: FanOut(mine.database, _look(mine), chosen.fhir_base),
            stored_headers.KIND: stored_headers.StoredHeaders(mine.database, chosen.secret_key()),
            KIND: FollowUp(mine.database, mine.own, chosen["HUB_FOLLOW_UP_DAYS"]),
        },
        deliveries=_deliveries(mine).handlers(),
        arrivals=spool().move if mine.database.is_sqlite else lambda: 0,
        chores=[
            Chore(timedelta(seconds=1), lambda _: reindex.turn()),
            Chore(timedelta(seconds=1), lambda _: audit.move(mine.database, audit_folder())),
            Chore(timedelta(minutes=1), lambda _: mine.database.writing(lambda c: forget_expired(c, clock.now()))),
            Chore(timedelta(minutes=10), lambda _: mine.database.writing(forget_failures)),
            Chore(timedelta(hours=1), lambda now: mine.database.writing(lambda c: outbox.purge(c, now - KEPT))),
            Chore(timedelta(minutes=10), lambda now: mine.database.writing(lambda c: idempotency.forget(c, now))),
        ],
    )


def _look(mine: Parts) -> Any:
    """What a client may see of an event, now."""
    from auth.notices import NoticeRights
    from hub.notifications.looking import Looking

    rights = NoticeRights(mine.database, mine.settings.secret_key())
    return Looking(mine.database, rights.access_of, mine.settings.fhir_base)


def _deliveries(mine: Parts) -> Any:
    from auth.notices import NoticeRights
    from hub.notifications.connections import Route
    from hub.notifications.deliver import Deliveries

    rights = NoticeRights(mine.database, mine.settings.secret_key())
    return Deliveries(
        mine.database,
        mine.own,
        rights.secret_of,
        _look(mine),
        mine.settings.fhir_base,
        mine.settings["HUB_WEBHOOK_TIMEOUT_SECONDS"],
        Route(mine.settings["HUB_WEBHOOK_HOSTS"]),
        header_key=mine.settings.secret_key(),
        tell=_notices_told(mine.recorder, rights.access_of),
    )


def _notices_told(recorder: Any, access_of: Callable[[str], Any]) -> Any:
    if recorder is None:
        return None
    from hub.notifications.told import NoticesTold

    return NoticesTold(recorder, access_of)


def make_listener(on_accepted: Callable[[], None] = lambda: None) -> Any:
    """The MLLP listener of this process."""
    from adapters.adt.group_commit import into
    from adapters.adt.mllp_server import MllpListener

    chosen = settings()
    tls, senders = _secured(chosen)
    return MllpListener(
        chosen["HUB_MLLP_HOST"],
        chosen["HUB_MLLP_PORT"],
        accept=spool().accept if database().is_sqlite else into(database()),
        clock=clock.now,
        max_bytes=chosen["HUB_MLLP_MAX_BYTES"],
        idle_seconds=chosen["HUB_MLLP_IDLE_SECONDS"],
        production=chosen["HUB_ADT_PRODUCTION"],
        on_accepted=on_accepted,
        tls=tls,
        senders=senders,
    )


def _secured(chosen: Settings) -> tuple[Any, Any]:
    """TLS of the MLLP listener and who may send for whom; None where the settings want none. Raises CannotStart."""
    from adapters.adt.senders import senders
    from adapters.adt.tls import Files, ServerTls

    cert, key, ca = (_path(chosen, f"HUB_MLLP_TLS_{name}") for name in ("CERT", "KEY", "CLIENT_CA"))
    if bool(cert) != bool(key) or (ca and not cert):
        raise CannotStart("HUB_MLLP_TLS_CERT and HUB_MLLP_TLS_KEY go together; HUB_MLLP_TLS_CLIENT_CA needs both.")
    table = _path(chosen, "HUB_MLLP_SENDERS")
    try:
        return (ServerTls(Files(cert, key, ca)) if cert and key else None), (senders(table) if table else None)
    except (ValueError, OSError) as error:
        raise CannotStart(f"MLLP cannot be secured as the settings say: {error}") from None


def _path(chosen: Settings, name: str) -> Path | None:
    return Path(chosen[name]) if chosen[name] else None


def release_leases() -> None:
    """What a killed process of this node held is free again. Only where no other process can hold any: SQLite."""
    if database().is_sqlite:
        with database().write() as connection:
            inbox.release(connection)
            outbox.release(connection)


class CannotStart(Exception):
    """What keeps the hub from starting, as a sentence."""


def check_start() -> None:
    """Settings, schema and local tables are fit to start with. Raises CannotStart."""
    from adapters.adt.local_tables import local_tables
    from hub.store.schema import is_current

    chosen = settings()
    chosen.secret_key()
    if not is_current(database()):
        raise CannotStart("The database cannot be reached or has not this release's schema: run `hub migrate`.")
    tables = local_tables(chosen.facilities_file, chosen.code_tables_dir)
    try:
        tables.facilities()
        tables.codes()
    except (ValueError, OSError) as error:
        raise CannotStart(f"A local table cannot be used: {error}") from None
    _check_packages()


def _check_packages() -> None:
    from conformance.packages.catalog import BadPackage

    try:
        knowledge().packages  # noqa: B018 - they are read here, or not at all
    except BadPackage as error:
        raise CannotStart(f"HUB_FHIR_PACKAGES: {error}") from None


def serve(web: bool, mllp: bool, worker: bool) -> None:
    """Run the chosen roles until told to stop. Raises CannotStart."""
    from hub.processes import PortTaken, Web, run

    check_start()
    chosen = settings()
    if worker:
        release_leases()
    roles = []
    if worker and not web:
        roles.append(make_worker())
    if mllp:
        roles.append(make_listener(roles[0].wake if roles else lambda: None))
    site = Web(
        chosen["HUB_HTTP_HOST"],
        chosen["HUB_HTTP_PORT"],
        chosen["HUB_WEB_PROCESSES"],
        chosen["HUB_WEB_THREADS"],
        make_app if worker else partial(make_app, moves=True),
        make_worker if worker else None,
        _web_tls(chosen),
    )
    try:
        run(site if web else None, roles, lambda: _ready(web, mllp, worker))
    except (PortTaken, OSError) as error:
        raise CannotStart(f"The hub cannot listen: {error}") from None


def _web_tls(chosen: Settings) -> Any:
    """Raises CannotStart where the files do not belong together or cannot be used."""
    import ssl

    from hub.processes import Tls

    cert, key, ca = (_path(chosen, f"HUB_TLS_{name}") for name in ("CERT", "KEY", "CLIENT_CA"))
    if bool(cert) != bool(key) or (ca and not cert):
        raise CannotStart("HUB_TLS_CERT and HUB_TLS_KEY go together; HUB_TLS_CLIENT_CA needs both.")
    if not cert or not key:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
        context.load_cert_chain(cert, key)
    except OSError as error:
        raise CannotStart(f"The certificate of the web server cannot be used: {error}") from None
    return Tls(cert, key, ca)


def _ready(web: bool, mllp: bool, worker: bool) -> None:
    chosen = settings()
    if web:
        _say(f"FHIR   {chosen.fhir_base}   (open: {chosen.fhir_base}/metadata)")
        _say(f"OAuth  {chosen.base_url}/auth/token")
    if mllp:
        _say(f"MLLP   {chosen['HUB_MLLP_HOST']}:{chosen['HUB_MLLP_PORT']}")
    if worker:
        _say("Worker running")
    _say("Ctrl-C stops.")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def __getattr__(name: str) -> Any:
    """`wsgi.app`, made when a WSGI server asks for it and not when the command line starts."""
    if name == "app":
        return make_app(moves=True)
    raise AttributeError(name)


def command_line() -> Any:
    """The command `hub` with all its subcommands."""
    import typer

    from adapters.adt.commands import send_commands
    from auth.break_glass_commands import break_glass_commands
    from auth.commands import add_token, client_commands
    from auth.key_commands import key_commands
    from auth.user_commands import add_launch, user_commands
    from hub.audit.commands import audit_commands
    from hub.commands import add_migrate, add_serve, inbox_commands, outbox_commands
    from hub.demo.commands import add_demo
    from hub.reindex_commands import reindex_commands

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="CalAIM FHIR Hub. Settings come from the environment: see docs/settings.md.",
    )

    add_serve(app, serve)
    add_migrate(app, database)
    add_demo(app, make_demo)
    app.add_typer(client_commands(database, settings), name="clients")
    app.add_typer(key_commands(database, settings), name="keys")
    app.add_typer(user_commands(database, settings), name="users")
    app.add_typer(break_glass_commands(database), name="break-glass")
    add_token(app, settings)
    add_launch(app, database, settings)
    app.add_typer(send_commands(settings), name="send")
    app.add_typer(inbox_commands(moved), name="inbox")
    app.add_typer(outbox_commands(database), name="outbox")
    app.add_typer(audit_commands(database, audit_folder, lambda: settings().fhir_base), name="audit")
    app.add_typer(reindex_commands(database, lambda: settings().fhir_base, part2=_part2_beside), name="reindex")

    @app.command()
    def version() -> None:
        """Print the version."""
        typer.echo(VERSION)

    return app


def make_demo() -> Any:
    """What `hub demo` works with."""
    from adapters.adt.demo import admission_files
    from auth.demo import demo_client
    from hub.demo.commands import Demo

    chosen = settings()
    return Demo(
        database(),
        parts().own,
        chosen["HUB_CIN_SYSTEM"],
        chosen.fhir_base,
        chosen.data_dir / "demo",
        hospitals=lambda folder: admission_files(folder, chosen.facilities_file),
        client=lambda folder: demo_client(database(), folder),
    )


def main() -> None:
    """The command `hub`."""
    from hub.settings import SettingsError

    os.umask(0o077)  # the database, the keys and the demo's messages are for the hub's user alone
    try:
        _begin_log()
        command_line()()
    except (SettingsError, CannotStart) as error:
        sys.exit(str(error))
