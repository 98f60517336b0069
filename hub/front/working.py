"""The worker of a process, whole or in parts, and the listener for hospitals."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from hub.front.parts import (
    Parts,
    arrivals,
    audit_folder,
    begin_log,
    begin_tracing,
    knowledge,
    loading,
    notice_rights,
    part2,
    parts,
    recorder,
    sending,
    settings,
    spool,
)


def make_worker() -> Any:
    """The worker of this process: hospital messages, files, bulk jobs, notices, follow-ups, housekeeping."""
    from adapters.adt.process import SOURCE
    from adapters.files.assembly import FileWork
    from hub import traced
    from hub.notifications import assembly as notices
    from hub.worker import Chore, Worker

    mine, files, adt, exports = parts(), FileWork.of(loading(), settings()), _hospitals(), _exports()
    chosen = mine.settings
    return Worker(
        mine.database,
        messages=traced.messages({SOURCE: adt.processor, **files.messages}),
        files=files.lane.turn,
        bulk=exports.bulk,
        parked={SOURCE: adt.parked},
        message_lanes=chosen["HUB_INBOX_LANES"],
        tries=chosen["HUB_INBOX_TRIES"],
        events=traced.works(notices.work(mine.database, chosen, notice_rights(mine))),
        work=traced.works(_work(mine)),
        deliveries=traced.works({**_deliveries(mine), **adt.deliveries, **files.deliveries}),
        arrivals=spool().move if mine.database.is_sqlite else lambda: 0,
        chores=[*_chores(mine, adt, files), *files.chores, Chore(timedelta(minutes=10), exports.forget)],
    )


def _hospitals() -> Any:
    from adapters.adt.assembly import hospitals
    from adapters.adt.local_tables import local_tables

    mine = parts()
    tables = local_tables(mine.settings.facilities_file, mine.settings.code_tables_dir)
    return hospitals(mine.database, mine.own, mine.settings, tables)


def _exports() -> Any:
    from conformance.terminology.terms import LibraryTerms
    from hub.bulk import assembly as bulk

    mine, terms = parts(), LibraryTerms(lambda: knowledge().terminology)
    return bulk.lane(mine.transactions, mine.settings, notice_rights(mine).access_of, terms, mine.recorder)


def _work(mine: Parts) -> dict[str, Any]:
    """Local work of the outbox that tells nobody, by kind."""
    from hub.ecm import assembly as ecm
    from hub.identity import assembly as identity
    from hub.referrals import assembly as referrals
    from hub.transitional_care import KIND, FollowUp

    of = mine.database, mine.own, mine.settings
    return {
        **identity.work(mine.own, mine.settings.fhir_base),
        **referrals.work(*of),
        **ecm.work(*of),
        KIND: FollowUp(mine.database, mine.own, mine.settings["HUB_FOLLOW_UP_DAYS"]),
    }


def _deliveries(mine: Parts) -> dict[str, Any]:
    """Work of the outbox that waits for other machines, by kind."""
    from adapters.alerts.assembly import notices_out
    from adapters.plan.api import assembly as plan_api
    from hub.notifications import assembly as notices
    from hub.referrals import assembly as referrals

    of, rights = (mine.database, mine.own, mine.settings), notice_rights(mine)
    return {
        **notices.deliveries(*of, rights, mine.recorder, notices_out(mine.settings)).handlers(),
        **plan_api.deliveries(*of, rights.access_of, mine.recorder),
        **referrals.deliveries(*of),
    }


def _chores(mine: Parts, adt: Any, files: Any) -> Iterator[Any]:
    """What is done every so often."""
    from adapters.adt.process import SOURCE
    from adapters.digests import assembly as digests
    from auth import housekeeping as of_auth
    from hub import housekeeping
    from hub.inbox_chores import inbox_chores
    from hub.notifications import assembly as notices
    from hub.worker import Chore

    database, chosen = mine.database, mine.settings
    yield from housekeeping.chores(database, chosen.fhir_base, part2(), audit_folder())
    yield from inbox_chores(database, chosen, {**adt.look_ups, **files.look_ups}, {SOURCE: adt.finished})
    yield from digests.chores(digests.daily(sending()))
    yield from (Chore(*each) for each in notices.chores(database, chosen))
    yield from of_auth.chores(database, chosen["HUB_SIGN_IN_LOCK_MINUTES"])


def make_beside() -> Any:
    """The worker, and the listener for websockets where the settings want one."""
    begin_log()
    begin_tracing("web")
    return _with_sockets(make_worker())


def _with_sockets(worker: Any) -> Any:
    from hub.notifications import assembly as notices
    from hub.processes import Several

    mine = parts()
    made = notices.sockets(mine.database, mine.settings, notice_rights(mine), mine.recorder)
    return Several((worker, made)) if made else worker


def make_inbox_worker() -> Any:
    """The worker's part that processes hospital messages, for a process of its own (HUB_INBOX_PROCESSES)."""
    begin_log("inbox")
    begin_tracing("inbox")
    return make_worker().of_messages()


def make_other_worker() -> Any:
    """All the rest of the worker."""
    begin_log()
    begin_tracing("web")
    return _with_sockets(make_worker().of_the_rest())


def make_listener(on_accepted: Callable[[], None] = lambda: None) -> Any:
    """The MLLP listener of this process."""
    from adapters.adt.listener import listener
    from adapters.adt.mllp_server import no_alarm
    from adapters.adt.refused_senders import RefusedSenders
    from hub.monitoring.counters import answered

    audit = recorder()
    alarm = RefusedSenders(audit.journal) if audit else no_alarm
    # the library that counts is loaded where somebody reads what it counted
    counted = {"answered": answered} if settings()["HUB_METRICS_TOKEN"] else {}
    return listener(settings(), arrivals(), on_accepted, alarm, **counted)
