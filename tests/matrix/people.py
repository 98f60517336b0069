"""The people of the world as a hospital knows them: by a record number, so that $match can find each of them."""

from collections.abc import Iterable
from typing import Any

from hub.identity import persons
from hub.identity.blocking import keys
from hub.identity.candidates import recorded
from hub.identity.patient import person_of
from hub.identity.strong import Systems
from hub.store.engine import Database
from hub.store.rids import new_rid
from tests.matrix.canaries import canary, identity
from tests.matrix.charts import BY_SHORT, SYSTEM, Chart, resource

NOW = 1_790_000_000_000_000
Resource = dict[str, Any]


def known_by_number(database: Database, charts: Iterable[Chart]) -> None:
    """A source person for each chart."""
    with database.write() as connection:
        for chart in charts:
            said, person = person_of(_patient(chart), SYSTEM, Systems()), new_rid(NOW)
            whole, who = recorded(said, {}), identity("pat", chart.number)
            persons.put(connection, person, SYSTEM, str(chart.number), who, whole, NOW)
            persons.keep_keys(connection, person, keys(said))


def _patient(chart: Chart) -> Resource:
    return resource(chart, BY_SHORT["pat"])


def asked_for(chart: Chart, certain: bool = False) -> Resource:
    """The Parameters of $match."""
    patient = {name: each for name, each in _patient(chart).items() if name not in ("id", "meta", "text", "link")}
    parts: list[Resource] = [{"name": "resource", "resource": patient}]
    parts += [{"name": "onlyCertainMatches", "valueBoolean": True}] if certain else []
    return {"resourceType": "Parameters", "parameter": parts}


def on_a_card(chart: Chart) -> Resource:
    """The Parameters of $member-match."""
    patient = {
        name: each for name, each in _patient(chart).items() if name in ("resourceType", "name", "birthDate")
    }
    coverage = {
        "resourceType": "Coverage",
        "status": "active",
        "subscriberId": canary("cov", chart.number, "subscriber"),
        "beneficiary": {"display": "the member"},
        "payor": [{"display": "a plan"}],
    }
    given = {"MemberPatient": patient, "CoverageToMatch": coverage}
    parts = [{"name": name, "resource": each} for name, each in given.items()]
    return {"resourceType": "Parameters", "parameter": parts}
