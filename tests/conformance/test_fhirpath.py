"""The closures of constraints agree with FHIRPath, and with fhirpathpy on the invariants of R4."""

import csv
from importlib.resources import files
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from conformance.fhirpath.closures import Around, closure, compiled
from conformance.fhirpath.syntax import NotFhirPath, parse
from conformance.validation.invariants import UNKNOWABLE
from hub.fhir.json import read

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.json"))
INVARIANTS = list(
    csv.DictReader(files("conformance.definitions").joinpath("r4_invariants.csv").read_text("utf-8").splitlines())
)
PERSON: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p",
    "birthDate": "1970-01-01",
    "_birthDate": {"extension": [{"url": "http://a.invalid/t", "valueDateTime": "1970-01-01T10:00:00Z"}]},
    "_gender": {"extension": [{"url": "http://a.invalid/absent", "valueCode": "unknown"}]},
    "multipleBirthInteger": 2,
    "name": [{"family": "A", "given": ["B", "C"]}, {"family": "D", "_given": [None, {"id": "g"}]}],
    "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}],
    "managingOrganization": {"reference": "#o"},
}

# expression -> what it gives for PERSON
TABLE: dict[str, list[Any]] = {
    "name.family": ["A", "D"],
    "Patient.name.given": ["B", "C", {"id": "g"}],
    "name.given.count()": [3],
    "name[1].family": ["D"],
    "name.where(family = 'D').exists()": [True],
    "name.exists(family = 'E')": [False],
    "name.all(family.exists())": [True],
    "name.select(family | given).first()": ["A"],
    "gender.exists()": [True],
    "gender.hasValue()": [False],
    "gender.extension('http://a.invalid/absent').value": ["unknown"],
    "birthDate.extension.value": ["1970-01-01T10:00:00Z"],
    "multipleBirth is integer": [True],
    "(multipleBirth as boolean).empty()": [True],
    "deceased.empty()": [True],
    "deceased is boolean": [False],
    "multipleBirth + 1 > 2": [True],
    "telecom.value = 'x'": [],
    "telecom.value = 'x' or true": [True],
    "telecom.value = 'x' implies false": [],
    "false implies telecom.value = 'x'": [True],
    "true xor false": [True],
    "birthDate < '1970-01-02'": [True],
    "birthDate < '1970'": [],
    "name.family.isDistinct()": [True],
    "'B' in name.given": [True],
    "name.given contains 'Z'": [False],
    "name.family.combine(name.family).isDistinct()": [False],
    "id.matches('^[a-z]$')": [True],
    "id & '-' & name.first().family": ["p-A"],
    "iif(active.exists(), 'x', 'y')": ["y"],
    "managingOrganization.resolve().name": ["x"],
    "contained.all(%resource.id = 'p')": [True],
    "-1 < 0": [True],
    "{}.empty()": [True],
    "name.family ~ name.family": [True],
    "name.count() /* a remark */ = 2 // and another": [True],
    "descendants().where($this = 'B').count()": [1],
    "'it\\'s'.length()": [4],
}


def _around(resource: Any) -> Around:
    local = {f"#{inner['id']}": inner for inner in resource.get("contained", ())}
    return Around(resource, resource, resource, resource["resourceType"], local.get)


@pytest.mark.parametrize("expression", TABLE)
def test_an_expression_gives_what_fhirpath_says(expression: str) -> None:
    assert closure(expression)(PERSON, _around(PERSON)) == TABLE[expression]


@pytest.mark.parametrize(
    "text", ["name.", "(name", "name family", "name.memberof('x')", "%nobody", "@2020-01-01", "''''"]
)
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(NotFhirPath):
        closure(text)


def test_precedence_is_kept() -> None:
    assert parse("a or b and c") == ("binary", "or", parse("a"), parse("b and c"))
    assert parse("a.b | c = d") == ("binary", "=", parse("a.b | c"), parse("d"))


def test_a_constraint_holds_only_when_it_is_true() -> None:
    assert not compiled("telecom.value = 'x'")(PERSON, _around(PERSON)), "nothing is not true"
    assert compiled("name.family = name.family")(PERSON, _around(PERSON))


@pytest.mark.parametrize("row", INVARIANTS, ids=lambda row: f"{row['path']}-{row['key']}")
def test_every_invariant_compiles(row: dict[str, str]) -> None:
    assert row["key"] in UNKNOWABLE or compiled(row["expression"])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_invariants_of_a_resource_agree_with_fhirpathpy(path: Path) -> None:
    resource = read(path.read_bytes())
    mine = [row for row in INVARIANTS if row["path"] == resource["resourceType"] and row["key"] not in UNKNOWABLE]
    mine = [row for row in mine if "hasValue" not in row["expression"]]  # fhirpathpy has no hasValue()
    for row in mine:
        theirs = fhirpathpy.evaluate(resource, row["expression"], {"resource": resource}, models["r4"])
        ours = compiled(row["expression"])(resource, _around(resource))
        assert ours == (bool(theirs) and theirs[0] is not False), row["key"]
