"""A small source of files, made up for the tests of hub.feeds: people, and visits that name a place.

`P,<key>,<cin>,<family>,<born>`, `V,<key>,<person>,<code>`, `L,<key>,<name>`, `G,<key>,<cin>,<since>` for the one
list of people (`-` before since: not any more), `AS,<moment>` for what follows, and `WHOLE` at the end of a file
that names all there is. `bad` anywhere is a bad row, `stop` refuses the file. A subject per line, but `V`s of one
person stand together, and all `G`s.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hub import clock
from hub.access import Access
from hub.feeds import files
from hub.feeds.arriving import Arriving
from hub.feeds.holding import held
from hub.feeds.ingest import Ingest
from hub.feeds.kinds import FileKind
from hub.feeds.loading import Loading
from hub.feeds.records import (
    ABOUT,
    DIRECTORY,
    PERSON,
    AsOf,
    Feed,
    Given,
    Kept,
    Reject,
    Resource,
    Row,
    Said,
    Subject,
    Unmapped,
    Whole,
)
from hub.fhir import json
from hub.fhir.conditional import reference
from hub.fhir.systems import CIN_SYSTEM
from hub.search.query import Limits, parse
from hub.store import merges, read
from hub.store.engine import Database
from hub.transactions import Transactions

BASE = "http://hub.test/fhir"
SYSTEM = "https://toy.example/feed"
CLASSES = {"home": "HH", "office": "AMB"}
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def read_toy(path: Path, feed: Feed) -> Iterator[Given]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            yield _given(line.strip(), number)


def _given(line: str, number: int) -> Given:
    if line == "WHOLE":
        return Whole(frozenset("PVL"))
    if "stop" in line:
        return Reject("CHECKSUM", number, whole=True)
    cells = line.split(",")
    if cells[0] == "AS":
        return AsOf(cells[1])
    if "bad" in line or cells[0] not in ROWS:
        return Reject("TYPE", number, "cell")
    return ROWS[cells[0]](cells, number)


def _person(cells: Sequence[str], number: int) -> Row:
    values = dict(zip(("cin", "family", "born"), cells[2:], strict=True))
    return Row("P", cells[1], f"person|{cells[1]}", values, number, PERSON)


def _visit(cells: Sequence[str], number: int) -> Row:
    return Row("V", cells[1], f"visits|{cells[2]}", {"person": cells[2], "code": cells[3]}, number, ABOUT)


def _place(cells: Sequence[str], number: int) -> Row:
    return Row("L", cells[1], f"place|{cells[1]}", {"name": cells[2]}, number, DIRECTORY)


def _listed(cells: Sequence[str], number: int) -> Row:
    values = {"cin": cells[2], "since": cells[3].lstrip("-")}
    return Row("G", cells[1], "list|1", values, number, ABOUT, deleted=cells[3].startswith("-"))


ROWS = {"P": _person, "V": _visit, "L": _place, "G": _listed}


def said(subject: Subject) -> Said | None:
    for row in subject.of("P"):
        cin = {"system": CIN_SYSTEM, "value": row.values["cin"]}
        name = [{"family": row.values["family"], "given": ["Invented"]}]
        patient = {"identifier": [cin], "name": name, "birthDate": row.values["born"], "gender": "female"}
        return Said(row.key, {"resourceType": "Patient", **patient}, {CIN_SYSTEM: "cin"})
    return None


def about(subject: Subject) -> str | None:
    return next((row.values["person"] for row in subject.rows if row.kind == "V"), None)


def resources(subject: Subject, patient: str) -> list[Resource]:
    if subject.key.startswith("list|"):
        return [_list(subject)]
    return [_resource(row, patient, subject.feed) for row in subject.rows if row.kind != "P"]


def _list(subject: Subject) -> Resource:
    members = [
        {
            "entity": reference("Patient", CIN_SYSTEM, row.values["cin"]),
            "period": {"start": row.values["since"]},
            "inactive": row.deleted,
        }
        for row in subject.rows
    ]
    group = {"resourceType": "Group", "type": "person", "actual": True, "member": members}
    here = sum(not one["inactive"] for one in members)
    return group | {"identifier": [{"system": f"{subject.feed.system}/list", "value": "1"}], "quantity": here}


def _resource(row: Kept, patient: str, feed: Feed) -> Resource:
    identifier = [{"system": f"{feed.system}/{row.kind.lower()}", "value": row.key}]
    if row.kind == "L":
        return {"resourceType": "Location", "identifier": identifier, "name": row.values["name"]}
    code = row.values["code"]
    if code not in CLASSES:
        raise Unmapped("toy-classes", code, "code")
    return {
        "resourceType": "Encounter",
        "identifier": identifier,
        "status": "entered-in-error" if row.deleted else "finished",
        "class": {"system": ACT_CODE, "code": CLASSES[code]},
        "subject": {"reference": patient},
        "location": [{"location": reference("Location", f"{feed.system}/l", "1")}],
    }


TOY = FileKind("toy", "toy", read_toy, said, about, resources, has_code=lambda _, table, code: code in CLASSES)


def toy_feed(**more: Any) -> Feed:
    return Feed("toy", "toy", SYSTEM, **more)


def toy_loading(database: Database, folder: Path, feed: Feed | None = None) -> Loading:
    merges.look_again()
    own = Transactions(database, lambda *_: (), lambda changes: (), BASE)
    arriving = Arriving(database, folder / "files")
    return Loading(database, own, arriving, {"toy": TOY}, {"toy": feed or toy_feed()})


def stored(database: Database, kind: str, *asked: tuple[str, str]) -> list[Resource]:
    """What a search by the hub finds, in order."""
    access = Access.system("test")
    with database.read() as connection:
        rows = read.page(connection, access, parse(kind, list(asked), Limits()), [], 500)
    return [json.stored(row.body) for row in rows if row.body]


def file_of(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def load(loading: Loading, path: Path, name: str = "") -> Any:
    """The file as it is after it."""
    _, seq = loading.arriving(path, name or path.name, loading.feeds["toy"])
    return loading.run(seq)


def ingested(database: Database, feed: Feed, seq: int, path: Path) -> None:
    """Read and kept; nothing becomes FHIR."""
    with held(database, seq, clock.now) as hold:
        assert hold is not None
        ingest = Ingest(hold, feed)
        ingest.run(read_toy, path, path.parent)
        database.writing(lambda connection: files.end(connection, hold.taking, files.DONE, ingest.counts, 0))
