"""What every process of the hub has: settings, database, writers, what is known, what loads and sends files.

Each is made once a process, at its first use: a command that only lists pays for nothing else.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from hub.settings import Settings, read_settings
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
    from hub import traced

    return traced.arriving(spool().accept if database().is_sqlite else into(database()))


def moved() -> Database:
    """The database with all arrivals in its inbox: for people who look into it."""
    while database().is_sqlite and spool().move():
        pass
    return database()


def gathered() -> None:
    """What lay beside the database at this moment is in it: arrivals, and the audit's records of this node."""
    from hub.audit import store as audit
    from hub.spool import BATCH

    while database().is_sqlite and spool().move() >= BATCH:
        pass
    audit.move_all(database(), audit_folder())


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
    from hub import transitional_care
    from hub.ecm import assembly as ecm
    from hub.referrals import assembly as referrals
    from hub.write_rules import together

    words = referrals.words(
        lambda system, code: code in knowledge().terminology.system(system).concepts,
        lambda url: knowledge().terminology.concept_map(url),
    )
    of_referrals, of_ecm = referrals.write_rules(settings(), words), ecm.write_rules(settings(), words.known)
    return together(of_referrals, of_ecm, transitional_care.rules())


def _effects(changes: Sequence[Change]) -> Iterator[Mapping[str, Any]]:
    """What a commit causes: events for subscribers, handshakes, follow-ups."""
    from adapters.plan.api import assembly as plan_api
    from hub import transitional_care
    from hub.ecm import assembly as ecm
    from hub.identity import assembly as identity
    from hub.notifications import events
    from hub.referrals import assembly as referrals

    yield from events.effects(changes)
    yield from referrals.effects(changes)
    yield from ecm.effects(changes)
    yield from identity.effects(changes)
    yield from transitional_care.effects(changes)
    yield from plan_api.effects(settings(), changes)


@cache
def knowledge() -> Any:
    """The conformance.knowledge.Knowledge of this process."""
    from conformance.knowledge import Knowledge
    from hub.operations.terminology import by_url

    return Knowledge(settings(), by_url(database(), settings().fhir_base))


def notice_rights(mine: Parts) -> Any:
    """What clients may see when nobody asks for them, and how their webhooks are signed."""
    from auth.notices import NoticeRights

    return NoticeRights(mine.database, mine.settings.secret_key())


@cache
def loading() -> Any:
    """What files become (hub.feeds). Raises CannotStart."""
    from adapters.files.assembly import loading_of
    from adapters.referrals.kinds import ANSWERS
    from auth.referral_access import access_of_file
    from hub.referrals import assembly as referrals

    mine = parts()
    acts = {ANSWERS: referrals.answering(mine.transactions, access_of_file, mine.settings)}
    return loading_of(mine.database, mine.own, mine.settings, acts)


def loading_alone() -> Any:
    """For a process that loads a file and does nothing else."""
    from hub.processes import keep_loaded

    made = loading()
    keep_loaded()
    return made


def sending() -> Any:
    """What writes files for others (adapters.sending)."""
    from adapters.sending import Sending
    from auth.referral_access import access_of_file

    mine = parts()
    access_of, base = notice_rights(mine).access_of, mine.settings.fhir_base
    return Sending(loading(), access_of, mine.recorder, base, access_of_file)


def begin_tracing(role: str) -> None:
    """Spans of this process leave, where the environment names a collector; `role` is what the first who asks says.
    Raises CannotStart."""
    from hub import tracing
    from hub.tracing import otlp

    if not tracing.is_on():
        otlp.begin(os.environ, role, VERSION, settings().secret_key())


def begin_log(role: str = "web") -> None:
    """Lines to stderr, in each process of the hub; `role` is what the first who asks says."""
    from hub import log_lines

    log_lines.begin(settings()["HUB_LOG_FORMAT"], settings()["HUB_LOG_LEVEL"], role)
