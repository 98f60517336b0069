"""The county: a patient for each combination of relation, labels and consent, and who has to do with them.

Written through the hub's own transactions, by a registry that is none of the actors: nobody opens anything for
itself. `load` takes the charts, so that a world of two patients is made the same way as the one of all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from hub.access import Access
from hub.fhir.bundles import Entry
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.hub.asking import BASE, validator
from tests.matrix import consents
from tests.matrix.canaries import canary, identity
from tests.matrix.charts import KINDS, TYPES, Chart, Kind, Resource, resource
from tests.matrix.consents import day
from tests.matrix.dimensions import ACTORS, CONSENTS, LABELS, RELATIONS, Actor

REGISTRY = "Organization/zwregistry"
ELSEWHERE = "Organization/zwelsewhere"
BATCH = 400
WITHOUT_COVERAGE = "ab133-without-medi-cal"  # such a chart has none
HOLDERS = tuple(a for a in ACTORS if a.token == "valid" and a.name in ("ehr", "county", "ecm", "ilos", "plan"))
WRITERS = tuple(a for a in HOLDERS if a.name in ("ehr", "county", "ecm"))
MEMBERSHIP = {  # of Group.member and Coverage; the others are in no Group of the actors
    "assigned": {"start": day(-30)},
    "ended": {"start": day(-30), "end": day(-1)},
    "future": {"start": day(1)},
    "other-county": {"start": day(-30)},
}
REFERRAL = {
    "referred": ("active", "in-progress"),
    "ended": ("completed", "completed"),
    "future": ("draft", "draft"),
}


def all_charts() -> list[Chart]:
    return [Chart(number, *each) for number, each in enumerate(product(RELATIONS, LABELS, CONSENTS), 1)]


def pairs_of_charts() -> list[Chart]:
    """Charts in which each pair of relation, labels and consent is found; and all in which a relation holds."""
    return [
        chart
        for chart in all_charts()
        if chart.relation in ("assigned", "referred")
        or (RELATIONS.index(chart.relation) + CONSENTS.index(chart.consent)) % len(LABELS)
        == LABELS.index(chart.labels)
    ]


def writer(chart: Chart) -> Actor:
    """Who wrote the `own` resource of a chart."""
    return WRITERS[chart.number % len(WRITERS)]


@dataclass
class World:
    """`charts` by number. `groups`: per number of a Group, its holder's name and its members' relation."""

    charts: dict[int, Chart] = field(default_factory=dict)
    groups: dict[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def every(self) -> list[Chart]:
        return list(self.charts.values())


Keep = Callable[[Chart, Kind], bool]


def _all(chart: Chart, kind: Kind) -> bool:
    return True


def load(database: Database, charts: Sequence[Chart], keep: Keep = _all) -> World:
    """Write the world; `keep` says what of the charts is in it."""
    world = World({chart.number: chart for chart in charts})
    registry = Writer(database, REGISTRY)
    registry.write(_organizations())
    registry.write(
        _chart(chart, kind, charts)
        for chart in charts
        for kind in KINDS
        if kind.short != "own" and keep(chart, kind)
    )
    for actor in WRITERS:
        own = next(kind for kind in KINDS if kind.short == "own")
        mine = (resource(chart, own) for chart in charts if writer(chart) is actor and keep(chart, own))
        Writer(database, actor.organization).write(mine)
    registry.write(_relations(charts))
    registry.write(_groups(world, charts))
    for chart in charts:
        for step in consents.written(chart):
            registry.put(step)
    registry.flush()
    return world


class Writer:
    """Commits resources in batches, in the name of a source. One resource twice begins a new batch."""

    def __init__(self, database: Database, source: str):
        self._transactions = Transactions(database, validator, lambda changes: (), BASE)
        self._access = Access.system("the matrix", source=source)
        self._waiting: dict[tuple[str, str], Resource] = {}

    def write(self, resources: Iterable[Resource]) -> None:
        for each in resources:
            self.put(each)
        self.flush()

    def put(self, each: Resource) -> None:
        key = each["resourceType"], each["id"]
        if key in self._waiting or len(self._waiting) >= BATCH:
            self.flush()
        self._waiting[key] = each

    def flush(self) -> None:
        entries = [Entry("PUT", type_, id=id_, resource=each) for (type_, id_), each in self._waiting.items()]
        self._waiting.clear()
        if entries:
            self._transactions.commit(entries, self._access, many=True)


def _organizations() -> Iterator[Resource]:
    names = [actor.organization for actor in ACTORS] + [REGISTRY, ELSEWHERE]
    for name in names:
        yield {"resourceType": "Organization", "id": name.split("/")[1], "name": f"Invented {name[-6:]}"}


def _chart(chart: Chart, kind: Kind, charts: Sequence[Chart]) -> Resource:
    made = resource(chart, kind)
    if kind.short == "pat" and chart.relation == "merged":
        survivor = next((c for c in charts if c.relation == "assigned" and c.labels == chart.labels), None)
        if survivor:
            made["link"] = [{"other": survivor.patient, "type": "replaced-by"}]
    return made


def _relations(charts: Iterable[Chart]) -> Iterator[Resource]:
    for chart in charts:
        yield from _referral(chart)
        if (period := MEMBERSHIP.get(chart.relation)) and chart.consent != WITHOUT_COVERAGE:
            payor = ELSEWHERE if chart.relation == "other-county" else "Organization/zworgplan"
            yield {
                "resourceType": "Coverage",
                "id": identity("cov", chart.number),
                "status": "active",
                "beneficiary": chart.patient,
                "payor": [{"reference": payor}],
                "period": period,
                "subscriberId": canary("cov", chart.number, "subscriber"),
            }


def _referral(chart: Chart) -> Iterator[Resource]:
    """A request to all at once, or a task for each of them."""
    holders = [actor.organization for actor in HOLDERS]
    request, task = REFERRAL.get(chart.relation, ("active", "in-progress"))
    if chart.relation == "other-county":
        holders = [ELSEWHERE]
    elif chart.relation not in REFERRAL:
        return
    common = {"intent": "order"}
    if chart.number % 2:
        yield common | {
            "resourceType": "ServiceRequest",
            "id": identity("rel", chart.number),
            "status": request,
            "subject": chart.patient,
            "performer": [{"reference": each} for each in holders],
        }
        return
    for place, each in enumerate(holders):
        yield common | {
            "resourceType": "Task",
            "id": identity("rel" + "abcde"[place], chart.number),
            "status": task,
            "for": chart.patient,
            "owner": {"reference": each},
        }


def _groups(world: World, charts: Sequence[Chart]) -> Iterator[Resource]:
    """A Group for each holder and relation: whoever sees it sees all its members."""
    number = 9000
    for actor, relation in product(HOLDERS, MEMBERSHIP):
        members = [chart for chart in charts if chart.relation == relation]
        if not members:
            continue
        number += 1
        world.groups[number] = actor.name, relation
        manager = ELSEWHERE if relation == "other-county" else actor.organization
        period = MEMBERSHIP[relation]
        yield {
            "resourceType": "Group",
            "id": identity("grp", number),
            "type": "person",
            "actual": True,
            "name": canary("grp", number, "name"),
            "managingEntity": {"reference": manager},
            "member": [{"entity": chart.patient, "period": period} for chart in members],
        }


def type_of(short: str) -> str:
    return TYPES.get(short) or {"cov": "Coverage", "grp": "Group", "con": "Consent"}[short[:3]]


def own_of(chart: Chart, short: str, actor: Actor) -> bool:
    """Whether the actor's organization wrote the resource."""
    return short == "own" and writer(chart) is actor
