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

from hub.problems import CannotStart
from hub.settings import Settings, SettingsError, read_settings
from hub.store.engine import Database
from hub.transactions import Change, Transactions

VERSION = "0.1.0"
MOST_DELETED = 500  # by one conditional delete, where the deployment allows it several


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


def arrivals() -> Any:
    """What makes arrivals durable."""
    from adapters.adt.group_commit import into

    return spool().accept if database().is_sqlite else into(database())


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


@cache
def parts() -> Parts:
    """The parts of this process, made at first use."""
    chosen, audit = settings(), recorder()
    writer = partial(
        Transactions,
        database(),
        effects=_effects,
        base=chosen.fhir_base,
        part2=part2(),
        audit=audit.along_own if audit else None,
        header_key=chosen.secret_key(),
        rules=_rules(),
    )
    for_clients = writer(
        validate=lambda *write: knowledge().of_clients(*write),
        deletes=MOST_DELETED if chosen["HUB_CONDITIONAL_DELETE"] == "multiple" else 1,
        integrity=chosen["HUB_REFERENTIAL_INTEGRITY"],
    )
    for_the_hub = writer(validate=lambda *write: knowledge().of_the_hub(*write))
    return Parts(chosen, database(), for_clients, for_the_hub, audit)


@cache
def loading() -> Any:
    """What files become (hub.feeds). Raises CannotStart."""
    from adapters.files.assembly import loading_of

    return loading_of(parts().database, parts().own, parts().settings)


def _loading_alone() -> Any:
    """For a process that loads a file and does nothing else."""
    from hub.processes import keep_loaded

    made = loading()
    keep_loaded()
    return made


def sending() -> Any:
    """What writes files for others (adapters.sending)."""
    from adapters.sending import Sending

    mine = parts()
    return Sending(loading(), _notice_rights(mine).access_of, mine.recorder, mine.settings.fhir_base)


@cache
def part2() -> Any:
    """Which sources are programs under 42 CFR Part 2. What is labelled counts this deployment's own tables, too."""
    from hub.identity import chosen
    from hub.rights import local_tables
    from hub.rights.part2 import Part2Sources

    local_tables.use(settings())
    chosen.use(settings())
    return Part2Sources.of(settings()["HUB_PART2_PROGRAMS"])


def _rules() -> Any:
    """What Tasks of referrals must keep, by the terminology of this deployment."""
    from hub.referrals import assembly as referrals

    words = referrals.words(
        lambda system, code: code in knowledge().terminology.system(system).concepts,
        lambda url: knowledge().terminology.concept_map(url),
    )
    return referrals.write_rules(settings(), words)


def _effects(changes: Sequence[Change]) -> Iterator[Mapping[str, Any]]:
    """What a commit causes: events for subscribers, handshakes, follow-ups."""
    from adapters.plan.api import assembly as plan_api
    from hub import transitional_care
    from hub.identity import assembly as identity
    from hub.notifications import events
    from hub.referrals import assembly as referrals

    yield from events.effects(changes)
    yield from referrals.effects(changes)
    yield from identity.effects(changes)
    yield from transitional_care.effects(changes)
    yield from plan_api.effects(settings(), changes)


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
    from adapters.adt.hl7_over_http import hl7_over_http
    from adapters.files.upload import upload
    from auth import assembly as oauth
    from auth.discovery import AUTHORIZE_PATH, token_url
    from conformance import assembly as claims
    from conformance.terminology.terms import LibraryTerms
    from conformance.validation.structure import validate_bundle_shell
    from hub.audit.mover import Mover
    from hub.bulk import assembly as bulk
    from hub.referrals import assembly as referrals
    from hub.rest import bulk_jobs
    from hub.rest.assembly import application, hub_of

    mine = parts()
    chosen = mine.settings
    if chosen["HUB_SEARCH_SECONDS"]:
        mine.database.limit_reads(chosen["HUB_SEARCH_SECONDS"])
    urls = token_url(chosen.base_url), chosen.base_url + AUTHORIZE_PATH
    desk = bulk.desk(mine.database, chosen, _notice_rights(mine).access_of)
    hub = hub_of(
        mine.database,
        mine.transactions,
        chosen,
        terms=LibraryTerms(lambda: knowledge().terminology),
        capabilities=claims.capabilities(chosen, VERSION, *urls, knowledge),
        guard=oauth.guard(mine.database, chosen),
        shell=partial(validate_bundle_shell, conditional_references=True),
        engines=replace(
            claims.operation_engines(chosen, VERSION, knowledge(), _notice_rights(mine).sight_of),
            bulk=desk,
            clocks=referrals.explains(chosen),
        ),
        audit=mine.recorder,
    )
    if moves and hub.audit is not None:
        Mover(mine.database, audit_folder()).start()
    blueprints = [*oauth.blueprints(mine.transactions, chosen, hub.guard, hub.audit), _watched()]
    doors = [*hl7_over_http(chosen, arrivals), *upload(loading, chosen.base_url, chosen["HUB_UPLOAD_MB"])]
    return application(hub, chosen, blueprints, [*doors, *bulk_jobs.doors(desk)])


def _watched() -> Any:
    """What balancers and Prometheus ask."""
    from hub.monitoring import assembly as monitoring
    from hub.referrals import assembly as referrals
    from hub.rest.watched import doors

    of = database(), settings()
    metrics = monitoring.exposition(*of, referrals.clocks(settings()), VERSION)
    return doors(monitoring.readiness(*of, VERSION), metrics, settings()["HUB_METRICS_TOKEN"])


def _examination() -> Any:
    """What `hub doctor` looks at."""
    from hub.monitoring import assembly as monitoring
    from hub.referrals import assembly as referrals

    return monitoring.examination(database(), settings(), referrals.clocks(settings()))


def _notice_rights(mine: Parts) -> Any:
    """What clients may see when nobody asks for them, and how their webhooks are signed."""
    from auth.notices import NoticeRights

    return NoticeRights(mine.database, mine.settings.secret_key())


def make_worker() -> Any:
    """The worker of this process: hospital messages, notices, follow-ups, housekeeping."""
    from adapters.adt.assembly import hospitals
    from adapters.adt.local_tables import local_tables
    from adapters.adt.process import SOURCE
    from adapters.files.assembly import FileWork
    from adapters.plan.api import assembly as plan_api
    from auth import housekeeping as of_auth
    from conformance.terminology.terms import LibraryTerms
    from hub import housekeeping
    from hub.bulk import assembly as bulk
    from hub.identity import assembly as identity
    from hub.inbox_chores import inbox_chores
    from hub.notifications import assembly as notices
    from hub.referrals import assembly as referrals
    from hub.transitional_care import KIND, FollowUp
    from hub.worker import Chore, Worker

    mine, files = parts(), FileWork.of(loading(), settings())
    chosen, rights = mine.settings, _notice_rights(mine)
    tables = local_tables(chosen.facilities_file, chosen.code_tables_dir)
    adt = hospitals(mine.database, mine.own, chosen, tables)
    webhooks = notices.deliveries(mine.database, mine.own, chosen, rights, mine.recorder)
    plan = plan_api.deliveries(mine.database, mine.own, chosen, rights.access_of, mine.recorder)
    exports = bulk.lane(
        mine.transactions,
        chosen,
        rights.access_of,
        LibraryTerms(lambda: knowledge().terminology),
        mine.recorder,
    )
    return Worker(
        mine.database,
        messages={SOURCE: adt.processor, **files.messages},
        files=files.lane.turn,
        bulk=exports.bulk,
        parked={SOURCE: adt.parked},
        message_lanes=chosen["HUB_INBOX_LANES"],
        tries=chosen["HUB_INBOX_TRIES"],
        work={
            **notices.work(mine.database, chosen, rights),
            **identity.work(mine.own, chosen.fhir_base),
            **referrals.work(mine.database, mine.own, chosen),
            KIND: FollowUp(mine.database, mine.own, chosen["HUB_FOLLOW_UP_DAYS"]),
        },
        deliveries={
            **webhooks.handlers(),
            **adt.deliveries,
            **files.deliveries,
            **plan,
            **referrals.deliveries(mine.database, mine.own, chosen, None),
        },
        arrivals=spool().move if mine.database.is_sqlite else lambda: 0,
        chores=[
            *housekeeping.chores(mine.database, chosen.fhir_base, part2(), audit_folder()),
            *inbox_chores(mine.database, chosen, {**adt.look_ups, **files.look_ups}, {SOURCE: adt.finished}),
            *files.chores,
            *(Chore(*each) for each in notices.chores(mine.database, chosen, webhooks)),
            Chore(timedelta(minutes=10), exports.forget),
            *of_auth.chores(mine.database, chosen["HUB_SIGN_IN_LOCK_MINUTES"]),
        ],
    )


def make_beside() -> Any:
    """The worker, and the listener for websockets where the settings want one."""
    return _with_sockets(make_worker())


def _with_sockets(worker: Any) -> Any:
    from hub.notifications import assembly as notices
    from hub.processes import Several

    mine = parts()
    made = notices.sockets(mine.database, mine.settings, _notice_rights(mine), mine.recorder)
    return Several((worker, made)) if made else worker


def make_inbox_worker() -> Any:
    """The worker's part that processes hospital messages, for a process of its own (HUB_INBOX_PROCESSES)."""
    _begin_log()
    return make_worker().of_messages()


def make_other_worker() -> Any:
    """All the rest of the worker."""
    return _with_sockets(make_worker().of_the_rest())


def make_listener(on_accepted: Callable[[], None] = lambda: None) -> Any:
    """The MLLP listener of this process."""
    from adapters.adt.listener import listener
    from adapters.adt.mllp_server import no_alarm
    from adapters.adt.refused_senders import RefusedSenders

    audit = recorder()
    return listener(settings(), arrivals(), on_accepted, RefusedSenders(audit.journal) if audit else no_alarm)


def check_start() -> None:
    """Settings, schema and local tables are fit to start with. Raises CannotStart."""
    from adapters.adt.hl7_over_http import clients_of
    from adapters.adt.local_tables import local_tables, must_be_usable
    from adapters.adt.return_addresses import return_addresses
    from adapters.files.assembly import places_of
    from hub.notifications.mail import Relay
    from hub.referrals import assembly as referrals
    from hub.store.schema import is_current

    chosen = settings()
    chosen.secret_key()
    if not is_current(database()):
        raise CannotStart("The database cannot be reached or has not this release's schema: run `hub migrate`.")
    must_be_usable(local_tables(chosen.facilities_file, chosen.code_tables_dir))
    clients_of(chosen)
    return_addresses(chosen)
    Relay.of(chosen)
    referrals.check(chosen)
    places_of(loading(), chosen)
    _check_packages()


def _check_packages() -> None:
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
    from hub.monitoring import counters
    from hub.monitoring.assembly import counted
    from hub.processes import PortTaken, run
    from hub.serving import announce, site
    from hub.worker import release_leases

    check_start()
    counters.begin(counted(settings()))
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
        run(
            made if web else None,
            roles,
            lambda: announce(settings(), web, hospitals.addresses if hospitals else (), worker),
        )
    except (PortTaken, OSError) as error:
        raise CannotStart(f"The hub cannot listen: {error}") from None


def __getattr__(name: str) -> Any:
    """`wsgi.app`, made when a WSGI server asks for it and not when the command line starts."""
    if name == "app":
        return make_app(moves=True)
    raise AttributeError(name)


def command_line() -> Any:
    """The command `hub` with all its subcommands."""
    import typer

    from adapters.adt.commands import send_commands
    from adapters.sending import add_sending
    from auth.command_line import add_auth
    from hub.audit.commands import audit_commands
    from hub.commands import add_migrate, add_serve, outbox_commands
    from hub.demo.commands import add_demo
    from hub.feeds.commands import add_load, files_commands
    from hub.identity.commands import identity_commands
    from hub.identity.desk import Registry
    from hub.inbox.commands import inbox_commands
    from hub.monitoring.config import config_commands
    from hub.monitoring.doctor import add_doctor
    from hub.notifications.commands import notices_commands
    from hub.referrals import assembly as referrals
    from hub.referrals.commands import clocks_commands, referrals_commands
    from hub.referrals.link_command import add_link
    from hub.reindex_commands import reindex_commands

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="CalAIM FHIR Hub. Settings come from the environment: see docs/settings.md.",
    )

    add_serve(app, serve)
    add_migrate(app, database)
    add_doctor(app, _examination)
    app.add_typer(config_commands(check_start), name="config")
    add_demo(app, make_demo)
    add_auth(app, database, settings)
    sends = send_commands(settings)
    add_sending(sends, sending)
    add_load(app, _loading_alone)
    app.add_typer(files_commands(loading), name="files")
    app.add_typer(sends, name="send")
    app.add_typer(inbox_commands(moved), name="inbox")
    app.add_typer(outbox_commands(database), name="outbox")
    app.add_typer(clocks_commands(database, lambda: referrals.clocks(settings())), name="clocks")
    app.add_typer(add_link(referrals_commands(database, lambda: parts().own), database, settings), name="referrals")
    app.add_typer(notices_commands(database), name="notices")
    app.add_typer(identity_commands(lambda: Registry.of(parts().own, settings().fhir_base)), name="identity")
    app.add_typer(audit_commands(database, audit_folder, lambda: settings().fhir_base), name="audit")
    app.add_typer(reindex_commands(database, lambda: settings().fhir_base, part2=part2), name="reindex")

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
    os.umask(0o077)  # the database, the keys and the demo's messages are for the hub's user alone
    try:
        _begin_log()
        command_line()()
    except (SettingsError, CannotStart) as error:
        sys.exit(str(error))
