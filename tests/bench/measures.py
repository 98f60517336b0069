"""What is measured: a table. A row says what a figure means, what it should reach and which floor it meets.

A floor is what this machine can do with nothing of the hub in the way, measured in the same run (floor.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BOTH = (SQLITE, POSTGRESQL)
COMMIT = {SQLITE: "floor.sqlite", POSTGRESQL: "floor.postgresql"}


@dataclass(frozen=True, slots=True)
class Measure:
    """`goal` is reached by figures of at most (`least`: at least) so much, on the databases of `held`.
    `floor` is the key of a floor, or a key for each database."""

    key: str
    title: str
    unit: str
    goal: float | None = None
    least: bool = False
    floor: str | Mapping[str, str] = ""
    held: Sequence[str] = BOTH

    def reached(self, database: str, value: float) -> bool | None:
        """None where there is no goal."""
        if self.goal is None or database not in self.held:
            return None
        return value >= self.goal if self.least else value <= self.goal

    def floor_key(self, database: str) -> str:
        return self.floor if isinstance(self.floor, str) else self.floor[database]


def _of_commit(suffix: str) -> Mapping[str, str]:
    return {database: f"{floor}.{suffix}" for database, floor in COMMIT.items()}


def _floor(phase: str, suffix: str) -> str | Mapping[str, str]:
    return _of_commit(suffix) if phase in WRITES else f"floor.flask.{suffix}"


FLOORS = (
    Measure("floor.fdatasync.p50", "fdatasync of 4 KB, p50", "µs"),
    Measure("floor.fdatasync.p99", "fdatasync of 4 KB, p99", "µs"),
    Measure("floor.sqlite.p50", "sqlite3: one durable insert, p50", "ms"),
    Measure("floor.sqlite.p99", "sqlite3: one durable insert, p99", "ms"),
    Measure("floor.sqlite.rate", "sqlite3: durable inserts, one after the other", "/s"),
    Measure("floor.postgresql.p50", "psycopg: one durable insert and a select, p50", "ms"),
    Measure("floor.postgresql.p99", "psycopg: one durable insert and a select, p99", "ms"),
    Measure("floor.postgresql.rate", "psycopg: durable inserts with a select, one after the other", "/s"),
    Measure("floor.loopback.p50", "loopback TCP round trip, p50", "µs"),
    Measure("floor.loopback.p99", "loopback TCP round trip, p99", "µs"),
    Measure("floor.flask.rate", "empty Flask answer through granian, 8 connections", "/s"),
    Measure("floor.flask.p99", "empty Flask answer through granian, 8 connections, p99", "ms"),
    Measure("floor.flask.memory", "empty Flask application in granian, resident", "MB"),
    Measure("floor.python.start", "Python starts and imports Flask and SQLAlchemy", "s"),
)
REST = {
    "read": ("read", "floor.flask"),
    "identifier": ("search Patient by identifier", "floor.flask"),
    "tasks": ("search Task by patient and status", "floor.flask"),
    "create": ("create Patient", COMMIT),
    "transaction": ("transaction of 12 resources", COMMIT),
}
# what Medplum 5.0 answered a second on the same kind of machine (issue 3), how many times as fast the hub is to be,
# and the p99 in ms
PHASES = {
    "read": ("read", 1330, 2, 20),
    "vread": ("vread", 1220, 2, 20),
    "create": ("create", 370, 3, None),
    "update": ("update", 308, 3, None),
    "conditional_create": ("conditional create, half of them found", 169, 3, None),
    "search_identifier": ("Patient by identifier", 804, 2, 50),
    "search_task": ("Task by patient and status", 1015, 2, 50),
    "search_include": ("ServiceRequest by patient with _include", 302, 3, 50),
    "careplan_include": ("CarePlan by patient with _include", 774, 3, 50),
    "everything": ("Patient/$everything", 48, 3, None),
    "transaction": ("transaction of 12 resources", 26, 3, 100),
}
SEARCHES = {
    "identifier": "Patient by identifier",
    "tasks": "Task by patient and status",
    "include": "ServiceRequest by patient with _include",
    "chain": "Task by its patient's identifier",
    "has": "Patient by identifier with _has Task by status",
    "newest": "Task by status, the 20 changed last",
    "sorted": "Task by status, the 20 authored last",
}
# searches that find the same for everybody who asks about members of the small panel; the others do not
COMPARED = ("identifier", "tasks", "include", "chain", "has")
VIEWERS = {
    "hub": "the hub itself",
    "custodian": "custodian",
    "panel-small": "a panel of 300",
    "panel-large": "a panel of 20,000",
    "referrals": "300 referrals",
}
TOKENS = {
    "cached": "token found in the cache",
    "limits": "limits of the client counted",
    "predicate": "predicate of who may see what, with its values",
    "lookup": "token not in the cache, looked up",
    "issue": "POST /auth/token with a signed assertion",
}
# sets of persons with known links: FEBRL's, and the synthetic county in four sources
MATCHED = {
    "febrl1": "FEBRL 1",
    "febrl2": "FEBRL 2",
    "febrl3": "FEBRL 3",
    "febrl4": "FEBRL 4",
    "county": "synthetic county",
}
NODES = {"read": "read", "create": "create Patient"}
AUDITED = {"read": "read", "tasks": "Task by patient and status"}
WRITES = ("create", "update", "conditional_create", "transaction")
MEASURES = (
    Measure("ack.p50", "ADT frame → durable ACK, 100/s over 8 connections, p50", "ms", floor=_of_commit("p50")),
    Measure("ack.p95", "ADT frame → durable ACK, p95", "ms"),
    Measure("ack.p99", "ADT frame → durable ACK, p99", "ms", 7, floor=_of_commit("p99")),
    Measure("ack.max", "ADT frame → durable ACK, longest", "ms"),
    Measure("ack.processed", "processed meanwhile, of 100/s that come", "/s"),
    Measure("acks.closed", "durable ACKs, 16 connections, 1 in flight", "/s", 2000, True, _of_commit("rate")),
    Measure("acks.closed.processed", "processed meanwhile", "/s"),
    Measure("acks.closed.lost", "ACKs without their row in the inbox", "", 0),
    Measure("acks.pipelined", "durable ACKs, 16 connections, 8 in flight", "/s", 2000, True, _of_commit("rate")),
    Measure("acks.pipelined.processed", "processed meanwhile", "/s"),
    Measure("acks.pipelined.lost", "ACKs without their row in the inbox", "", 0),
    Measure("notice.p50", "ADT → webhook, 20/s, p50", "ms"),
    Measure("notice.p95", "ADT → webhook, 20/s, p95", "ms", 1000),
    Measure("notice.p99", "ADT → webhook, 20/s, p99", "ms"),
    Measure("notice50.p50", "ADT → webhook, 50/s, p50", "ms"),
    Measure("notice50.p95", "ADT → webhook, 50/s, p95", "ms"),
    Measure("notice50.p99", "ADT → webhook, 50/s, p99", "ms", 2000),
    Measure(
        "processing.rate",
        "full processing of a filled inbox, one worker process",
        "/s",
        150,
        True,
        _of_commit("rate"),
        held=(POSTGRESQL,),
    ),
    Measure("processing.two", "the same by two processes (PostgreSQL)", "/s", floor=_of_commit("rate")),
    Measure("start.best", "`hub serve` → first 200 on metadata, best", "s"),
    Measure("start.worst", "`hub serve` → first 200 on metadata, worst", "s", 3, floor="floor.python.start"),
    Measure("memory.rss", "resident, sum of all processes", "MB", 200, floor="floor.flask.memory", held=(SQLITE,)),
    Measure("memory.pss", "resident, shared pages counted once", "MB"),
    Measure("facade.seed.rate", "FHIR API: seeding, transactions of 12 resources", "/s"),
    *(
        Measure(f"facade.{name}.rate", f"FHIR API: {title}", "/s", peer * times, True, _floor(name, "rate"))
        for name, (title, peer, times, _) in PHASES.items()
    ),
    *(
        Measure(f"facade.{name}.p99", f"FHIR API: {title}, p99", "ms", goal, floor=_floor(name, "p99"))
        for name, (title, _, _, goal) in PHASES.items()
    ),
    *(
        row
        for name, title in SEARCHES.items()
        for row in (
            Measure(f"scale.{name}.small", f"at 10,000 resources: {title}, p50", "ms"),
            Measure(f"scale.{name}.large", f"at 1,000,000 resources: {title}, p50", "ms"),
            Measure(f"scale.{name}.ratio", "the second divided by the first", "", 2),
        )
    ),
    *(
        row
        for name, title in SEARCHES.items()
        for viewer, who in VIEWERS.items()
        for row in (
            Measure(f"sight.{name}.{viewer}", f"seen by {who}: {title}, p50", "µs"),
            *(
                (Measure(f"sight.{name}.{viewer}.ratio", "divided by the hub's own", "", 1.2),)
                if name in COMPARED and viewer != "hub"
                else ()
            ),
        )
    ),
    Measure("token.check", "CPU time a request: token, limits and predicate", "µs", 150),
    *(Measure(f"token.{name}", f"CPU time: {title}", "µs") for name, title in TOKENS.items()),
    *(
        row
        for name, title in AUDITED.items()
        for row in (
            Measure(f"audit.{name}.no", f"FHIR API without the audit: {title}", "/s"),
            Measure(f"audit.{name}.yes", f"FHIR API with the audit: {title}", "/s"),
            Measure(f"audit.{name}.cost", "the audit takes from the rate", "%", 25),
        )
    ),
    *(
        row
        for name, title in MATCHED.items()
        for row in (
            Measure(f"identity.{name}.precision", f"matching, {title}: links that are right", "%", 99.9, True),
            Measure(f"identity.{name}.recall", f"matching, {title}: true pairs linked", "%", 90, True),
            Measure(f"identity.{name}.review", f"matching, {title}: records that wait for a person", "%", 3),
            Measure(f"identity.{name}.blocking", f"matching, {title}: true pairs compared", "%", 95, True),
        )
    ),
    Measure("identity.rate", "matching, synthetic county: comparisons", "/s"),
    Measure("told.p50", "API write → webhook, 50/s beside 1,000 Subscriptions, p50", "ms"),
    Measure("told.p95", "API write → webhook, 50/s beside 1,000 Subscriptions, p95", "ms"),
    Measure("told.p99", "API write → webhook, 50/s beside 1,000 Subscriptions, p99", "ms", 1000),
    Measure("matching.few", "matching an event beside 10 Subscriptions", "µs", held=(SQLITE,)),
    Measure("matching.many", "matching an event beside 1,000 Subscriptions", "µs", held=(SQLITE,)),
    Measure("matching.ratio", "the second divided by the first: grows less than what it is beside", "", 100),
    Measure("fanout.many", "fan-out of an event beside 1,000 Subscriptions, with its commit", "µs"),
    Measure("bulk.export.rate", "system export, kick-off to the last byte", "resources/s", 20_000, True),
    Measure("bulk.export.memory", "system export, all processes at most", "MB"),
    Measure("bulk.import.rate", "import, kick-off to its report", "resources/s", 1500, True),
    Measure("bulk.import.memory", "import, all processes at most", "MB"),
    *(
        row
        for name, title in NODES.items()
        for row in (
            Measure(f"nodes.{name}.one", f"one node: {title}", "/s", held=(POSTGRESQL,)),
            Measure(f"nodes.{name}.two", f"two nodes: {title}", "/s", held=(POSTGRESQL,)),
            Measure(f"nodes.{name}.times", "the second divided by the first", "", 1.7, True, held=(POSTGRESQL,)),
        )
    ),
    Measure("bundle.memory", "a transaction of 500 entries adds to its process, at most", "MB", 64),
    Measure("facade.memory", "FHIR API: largest process under that load, resident", "MB", 150),
    *(
        Measure(f"rest.{name}.{suffix}", f"REST {title}{more}", unit, least=suffix == "rate", floor=_floor)
        for name, (title, floor) in REST.items()
        for suffix, more, unit in (("rate", ", 8 connections", "/s"), ("p99", ", p99", "ms"))
        for _floor in (f"{floor}.{suffix}" if isinstance(floor, str) else _of_commit(suffix),)
    ),
)
BY_KEY = {measure.key: measure for measure in (*FLOORS, *MEASURES)}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `database` is empty for floors; `ratio` is value / floor."""

    key: str
    value: float
    database: str = ""
    reached: bool | None = None
    ratio: float | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        return asdict(self)


def held_against(figures: Iterable[Figure], floors: Iterable[Figure]) -> list[Figure]:
    """The figures with whether they reach their goals and their ratio to their floors."""
    known = {floor.key: floor.value for floor in floors}
    return [_judged(figure, BY_KEY[figure.key], known) for figure in figures]


def _judged(figure: Figure, measure: Measure, floors: Mapping[str, float]) -> Figure:
    floor = floors.get(measure.floor_key(figure.database))
    ratio = round(figure.value / floor, 2) if floor else None
    return replace(figure, reached=measure.reached(figure.database, figure.value), ratio=ratio)


def quantile(values: Sequence[float], share: float) -> float:
    """Nearest rank; 0 where there are none."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
