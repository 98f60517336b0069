"""How long the store takes to say who a person might be: `python -m tests.bench.identity_store [persons [folder]]`.

The county of tests/bench/county_people.py is loaded as source persons with their keys, on SQLite and on PostgreSQL;
then people are sought, and compared with whom they might be. Loading takes a minute or two for 100,000 persons:
with a folder the SQLite file stays there, and one that is there is measured at once and alone, so that the machine
must be quiet for some seconds only.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from hub.fhir import json
from hub.identity.blocking import keys
from hub.identity.candidates import candidates, recorded, said_by
from hub.identity.counts import frequencies
from hub.identity.decide import decide
from hub.identity.person import Person
from hub.identity.persons import several
from hub.store.engine import Database
from hub.store.migrate import migrate
from hub.store.tables_identity import identity_key, source_person
from tests.bench.county_people import county
from tests.bench.county_sources import records
from tests.postgresql import Cluster

CHUNK, PROBES = 5000, 400


def load(database: Database, people: Sequence[Person]) -> None:
    for start in range(0, len(people), CHUNK):
        some = list(enumerate(people[start : start + CHUNK], start + 1))
        with database.write() as connection:
            connection.execute(insert(source_person), [_person(number, each) for number, each in some])
            rows = [{"hash": one, "person": number} for number, each in some for one in keys(each)]
            connection.execute(insert(identity_key), rows)


def _person(number: int, said: Person) -> dict[str, Any]:
    member = f"m{number}"
    row = {"person": number, "source": said.source, "key": str(number), "patient": member, "home": member}
    return row | {"record": json.write(recorded(said, {})), "updated": 1}


def seek(database: Database, people: Sequence[Person]) -> Iterator[tuple[float, float, int]]:
    """Milliseconds to find, and to find and compare; how many were compared."""
    with database.read() as connection:
        counted = frequencies(connection)
        for each in people:
            began = time.perf_counter()
            found = candidates(connection, each)
            between = time.perf_counter()
            for one in found:
                decide(each, said_by(one), counted)
            yield (between - began) * 1e3, (time.perf_counter() - began) * 1e3, len(found)


def probes(database: Database) -> list[Person]:
    """Every so many of those who are there."""
    with database.read() as connection:
        last = connection.execute(select(func.max(source_person.c.person))).scalar_one()
        step = max(1, last // PROBES)
        return [said_by(one) for one in several(connection, range(step, last + 1, step))]


def measure(name: str, database: Database, persons: int) -> None:
    """The first are sought to warm up."""
    figures = list(seek(database, probes(database)))[20:]
    for place, what in ((0, "find"), (1, "find and compare")):
        times = sorted(figure[place] for figure in figures)
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"{name:10} {persons:>9,} persons  {what:16} p50 {p50:.2f} ms  p99 {p99:.2f} ms")
    print(f"{name:10} compared on average {sum(figure[2] for figure in figures) / len(figures):.1f}")


def loaded(database: Database, wanted: int) -> Database:
    made = county()
    migrate(database)
    load(database, [person for _, person in records(made.humans(wanted * 2 // 3), made)][:wanted])
    return database


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[2] if len(sys.argv) > 2 else folder) / f"identity-{wanted}.db"
        there, database = path.exists(), Database(f"sqlite:///{path}")
        measure("SQLite", database if there else loaded(database, wanted), wanted)
        database.close()
    if not there:
        with Cluster(None, ("-c fsync=off",)) as cluster:
            database = Database(cluster.create_database("identity"))
            measure("PostgreSQL", loaded(database, wanted), wanted)
            database.close()


if __name__ == "__main__":
    main()
