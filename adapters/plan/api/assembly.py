"""The plan's API as the settings want it: handlers for the worker's deliveries, effects for the writers.

For the front door: `deliveries` beside those of notices, `effects` beside those of the hub. Nothing without a plan.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from adapters.plan.api.client import PlanClient
from adapters.plan.api.configuration import plan_api
from adapters.plan.api.effects import effects as caused
from adapters.plan.api.handlers import PlanWork
from adapters.plan.api.told import PlanTold
from hub import outbox
from hub.access import Access
from hub.audit.recorder import Recorder
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Change, Transactions


def deliveries(
    database: Database,
    own: Transactions,
    settings: Settings,
    access_of: Callable[[str], Access | None],
    recorder: Recorder | None,
) -> Mapping[str, outbox.Handler]:
    """By kind. `access_of` a client's id. Raises CannotStart."""
    api = plan_api(settings)
    if api is None:
        return {}
    told = PlanTold(recorder, urlsplit(api.url).hostname or "") if recorder else lambda access, rows: None
    return PlanWork(
        PlanClient(api),
        database,
        own,
        lambda: access_of(api.sees),
        told,
        settings.fhir_base,
        settings["HUB_CIN_SYSTEM"],
        timedelta(minutes=settings["HUB_PLAN_API_POLL_MINUTES"]),
        timedelta(days=settings["HUB_PLAN_API_DECISION_DAYS"]),
    ).handlers()


def effects(settings: Settings, changes: Iterable[Change]) -> Iterator[Mapping[str, Any]]:
    """What a commit makes the hub tell the plan."""
    if settings["HUB_PLAN_API_URL"]:
        yield from caused(changes, settings["HUB_PLAN_API_ORGANIZATION"], settings["HUB_PLAN_API_CARE_PLANS"])
