"""The hub's own CodeSystems, ValueSets and ConceptMaps for CalAIM, made from CSV tables.

Tables: `calaim/` here (what each row rests on: calaim/README.md), then those an operator keeps in
HUB_TERMINOLOGY_DIR: `codes/<system>.csv` and `maps/<map>.csv` add rows to ours (the same code: theirs counts),
`*.json` are whole CodeSystem, ValueSet or ConceptMap resources.
All canonical URLs are below OWN: nobody publishes official ones.
Refuses: a table whose name or columns are not known, a row without code, a file that is no such resource
(ValueError naming the file and line, never a value).
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hub.fhir.systems import HCPCS, OWN

Resource = dict[str, Any]
Row = dict[str, str]

VERSION = "1"
HERE = Path(__file__).parent / "calaim"
KINDS = ("CodeSystem", "ValueSet", "ConceptMap")
TASK_STATUS = "http://hl7.org/fhir/task-status"
TASK_STATUSES = "http://hl7.org/fhir/ValueSet/task-status"
MODIFIER = OWN + "concept-property/hcpcs-modifier"
PLAIN = ("code", "display", "definition")


class Subset(NamedTuple):
    """A value set of the codes with a property."""

    id: str
    system: str
    property: str


SUBSETS = (
    Subset("population-of-focus-adult", "population-of-focus", "for-adults"),
    Subset("population-of-focus-child", "population-of-focus", "for-children"),
)


def own_url(kind: str, id_: str) -> str:
    """The canonical URL of one of the hub's own resources."""
    return f"{OWN}{kind}/{id_}"


def own_resources(local: Path | None = None) -> list[Resource]:
    """All of them, an operator's additions included. Raises ValueError."""
    headers = _read(HERE / "code_systems.csv")
    _refuse_unknown_tables(local, {header["id"] for header in headers})
    found = []
    for header in headers:
        found += [_system(header, local), _value_set(header["id"], header["title"])]
    found += [_subset(subset) for subset in SUBSETS]
    found += _maps(local)
    return [*found, *_whole(local)]


def _refuse_unknown_tables(local: Path | None, systems: set[str]) -> None:
    known = {"codes": systems, "maps": {path.stem for path in (HERE / "maps").glob("*.csv")}}
    for folder, names in known.items():
        for path in sorted(local.glob(f"{folder}/*.csv")) if local else ():
            if path.stem not in names:
                raise ValueError(f"{folder}/{path.name} is not one of the hub's tables: {', '.join(sorted(names))}")


def _read(path: Path, columns: tuple[str, ...] = (), needed: int = 1) -> list[Row]:
    """The rows of a table. If `columns` are given it has no others, and the `needed` first of them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if columns and not set(columns[:needed]) <= set(reader.fieldnames or ()) <= set(columns):
            raise ValueError(f"{path.name}: the columns are {', '.join(columns)}")
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"{path.name} line {reader.line_num}: the row has not as many cells as columns")
            rows.append({key: value.strip() for key, value in row.items()})
            if wrong := _wrong(rows[-1], columns[:needed]):
                raise ValueError(f"{path.name} line {reader.line_num}: {wrong}")
    return rows


def _wrong(row: Row, needed: tuple[str, ...]) -> str:
    """What keeps a row from being used, or nothing."""
    for key, value in row.items():
        if key in needed and not value:
            return f"the cell of '{key}' is empty"
        if key.startswith("for-") and value not in ("true", "false", ""):
            return f"'{key}' is true, false or empty"
    return ""


def _rows(table: str, local: Path | None) -> list[Row]:
    """Shipped rows, then an operator's."""
    path = HERE / table
    with path.open(encoding="utf-8") as file:
        columns = tuple(next(csv.reader(file)))
    of_codes = table.startswith("codes/")
    rows = _read(path, columns)
    if local is not None and (local / table).exists():
        allowed = (*columns, "definition") if of_codes else columns
        rows += _read(local / table, allowed, needed=1 if of_codes else len(columns))
    return rows


def _about(kind: str, id_: str, title: str) -> Resource:
    name = "".join(word.capitalize() for word in id_.split("-"))
    about = {"resourceType": kind, "id": id_, "url": own_url(kind, id_), "version": VERSION}
    return about | {"name": name, "title": title, "status": "active"}


def _system(header: Row, local: Path | None) -> Resource:
    rows = {row["code"]: row for row in _rows(f"codes/{header['id']}.csv", local)}
    properties = sorted({key for row in rows.values() for key in row if key not in PLAIN})
    return {
        **_about("CodeSystem", header["id"], header["title"]),
        "caseSensitive": True,
        "valueSet": own_url("ValueSet", header["id"]),
        "content": header["content"],
        **({"property": [{"code": name, "type": "boolean"} for name in properties]} if properties else {}),
        **({"concept": [_concept(row) for row in rows.values()]} if rows else {}),
    }


def _concept(row: Row) -> Resource:
    given = [{"code": key, "valueBoolean": row[key] == "true"} for key in row if key not in PLAIN and row[key]]
    words = {key: row[key] for key in PLAIN if row.get(key)}
    return {**words, "property": given} if given else words


def _value_set(system: str, title: str) -> Resource:
    include: Resource = {"system": own_url("CodeSystem", system)}
    return {**_about("ValueSet", system, title), "compose": {"include": [include]}}


def _subset(subset: Subset) -> Resource:
    chosen = {"property": subset.property, "op": "=", "value": "true"}
    include = {"system": own_url("CodeSystem", subset.system), "filter": [chosen]}
    return {**_about("ValueSet", subset.id, subset.id.replace("-", " ")), "compose": {"include": [include]}}


def _maps(local: Path | None) -> Iterator[Resource]:
    billing = _rows("maps/community-support-hcpcs.csv", local)
    codes = sorted({row["hcpcs"] for row in billing})
    hcpcs = {"system": HCPCS, "concept": [{"code": code} for code in codes]}
    title = "HCPCS codes of Community Supports, each of which needs its modifier"
    yield {**_about("ValueSet", "community-support-hcpcs", title), "compose": {"include": [hcpcs]}}
    supports, system = own_url("ValueSet", "community-support"), own_url("CodeSystem", "community-support")
    paid = own_url("ValueSet", "community-support-hcpcs")
    yield _map(
        "community-support-to-hcpcs",
        (supports, paid),
        (system, HCPCS),
        [(r["community_support"], _pair(r["hcpcs"], "product", r["modifier"])) for r in billing],
    )
    yield _map(
        "hcpcs-to-community-support",
        (paid, supports),
        (HCPCS, system),
        [(r["hcpcs"], _pair(r["community_support"], "dependsOn", r["modifier"])) for r in billing],
    )
    yield _map(
        "referral-status-to-task-status",
        (own_url("ValueSet", "referral-status"), TASK_STATUSES),
        (own_url("CodeSystem", "referral-status"), TASK_STATUS),
        [
            (r["referral_status"], {"code": r["task_status"], "equivalence": "equivalent"})
            for r in _rows("maps/referral-status-task-status.csv", local)
        ],
    )


def _pair(code: str, role: str, modifier: str) -> Resource:
    """A HCPCS code means a service together with its modifier only."""
    met = {"property": MODIFIER, "system": HCPCS, "value": modifier}
    return {"code": code, "equivalence": "relatedto", role: [met]}


def _map(id_: str, ends: tuple[str, str], systems: tuple[str, str], pairs: list[tuple[str, Resource]]) -> Resource:
    targets: dict[str, list[Resource]] = {}
    for code, target in pairs:
        targets.setdefault(code, []).append(target)
    elements = [{"code": code, "target": found} for code, found in targets.items()]
    return {
        **_about("ConceptMap", id_, id_.replace("-", " ")),
        "sourceCanonical": ends[0],
        "targetCanonical": ends[1],
        "group": [{"source": systems[0], "target": systems[1], "element": elements}],
    }


def _whole(local: Path | None) -> Iterator[Resource]:
    """The resources an operator brings as JSON."""
    for path in sorted(local.glob("*.json")) if local else ():
        try:
            found = json.loads(path.read_text("utf-8-sig"))
        except ValueError:
            raise ValueError(f"{path.name} is not JSON") from None
        if not isinstance(found, dict) or found.get("resourceType") not in KINDS or not found.get("url"):
            raise ValueError(f"{path.name} is not a {', '.join(KINDS)} with a url")
        yield found
