"""The WSGI application of a process."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hub.front.parts import (
    VERSION,
    arrivals,
    audit_folder,
    begin_log,
    begin_tracing,
    database,
    knowledge,
    loading,
    notice_rights,
    parts,
    settings,
)


def make_app(moves: bool = False) -> Any:
    """The WSGI application of this process. `moves`: nobody else on this node brings its records into the audit."""
    begin_log()
    begin_tracing("web")
    from adapters.adt.hl7_over_http import hl7_over_http
    from adapters.alerts.assembly import messages
    from adapters.files.upload import upload
    from adapters.referrals.form_rows import keeper
    from auth import assembly as oauth
    from auth.discovery import AUTHORIZE_PATH, token_url
    from conformance import assembly as claims
    from conformance.terminology.terms import LibraryTerms
    from conformance.validation.structure import validate_bundle_shell
    from hub.audit.mover import Mover
    from hub.bulk import assembly as bulk
    from hub.ecm import assembly as ecm
    from hub.rest import bulk_jobs
    from hub.rest.assembly import application, hub_of

    mine = parts()
    chosen = mine.settings
    if chosen["HUB_SEARCH_SECONDS"]:
        mine.database.limit_reads(chosen["HUB_SEARCH_SECONDS"])
    urls = token_url(chosen.base_url), chosen.base_url + AUTHORIZE_PATH
    desk = bulk.desk(mine.database, chosen, notice_rights(mine).access_of)
    hub = hub_of(
        mine.database,
        mine.transactions,
        chosen,
        terms=LibraryTerms(lambda: knowledge().terminology),
        capabilities=claims.capabilities(chosen, VERSION, *urls, knowledge),
        guard=oauth.guard(mine.database, chosen),
        shell=partial(validate_bundle_shell, conditional_references=True),
        engines=replace(
            claims.operation_engines(chosen, VERSION, knowledge(), notice_rights(mine).sight_of),
            bulk=desk,
            clocks=ecm.explains(chosen),
            messages=messages(
                mine.database,
                chosen,
                arrivals,
                lambda sent, who: knowledge().of_clients(sent, "Bundle", False, who),
            ),
        ),
        audit=mine.recorder,
    )
    if moves and hub.audit is not None:
        Mover(mine.database, audit_folder()).start()
    people = oauth.blueprints(mine.transactions, chosen, hub.guard, hub.audit, referral_services, keeper(loading))
    blueprints = [*people, watched()]
    doors = [*hl7_over_http(chosen, arrivals), *upload(loading, chosen.base_url, chosen["HUB_UPLOAD_MB"])]
    return application(hub, chosen, blueprints, [*doors, *bulk_jobs.doors(desk)])


def referral_services() -> Mapping[str, str]:
    """What may be asked for by the form: codes with their names, ECM first."""
    from hub.fhir.systems import COMMUNITY_SUPPORT

    supports = knowledge().terminology.system(COMMUNITY_SUPPORT).concepts
    named = {code: one.display or code for code, one in supports.items()}
    return {"ecm": "Enhanced Care Management (ECM)", **named}


def watched() -> Any:
    """What balancers and Prometheus ask."""
    from hub.monitoring import assembly as monitoring
    from hub.referrals import assembly as referrals
    from hub.rest.watched import doors

    of = database(), settings()
    metrics = monitoring.exposition(*of, referrals.clocks(settings()), VERSION)
    return doors(monitoring.readiness(*of, VERSION), metrics, settings()["HUB_METRICS_TOKEN"])
