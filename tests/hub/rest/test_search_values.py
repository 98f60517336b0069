"""Numbers, quantities, composites, positions and modifiers over the REST API: what is found, and what is not."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from tests.hub.asking import Api, observation, patient

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"


def coded(code: str, **more: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code, **more}]}


def amount(value: float, code: str = "mm[Hg]", **more: str) -> dict[str, Any]:
    return {"value": value, "unit": "mmHg", "system": UCUM, "code": code, **more}


COUNTY: tuple[dict[str, Any], ...] = (
    patient(
        "ann",
        gender="female",
        birthDate="1980-02-29",
        maritalStatus={"text": "Married, twice"},
        meta={"profile": ["https://p.invalid/a/b|1"], "source": "https://s.invalid/x#1"},
        identifier=[
            {
                "type": {"coding": [{"system": "urn:types", "code": "MR"}], "text": "Médical record"},
                "system": "urn:mrn",
                "value": "1",
            }
        ],
        name=[{"family": "Obrien"}],
    ),
    patient("bo", active=True, identifier=[{"system": "urn:mrn", "value": "2"}]),
    observation(
        "bp",
        code=coded("85354-9", display="Blood pressure panel"),
        component=[
            {"code": coded("8480-6"), "valueQuantity": amount(120)},
            {"code": coded("8462-4"), "valueQuantity": amount(60)},
        ],
        subject={"reference": "Patient/ann", "identifier": {"system": "urn:cin", "value": "9"}},
    ),
    observation("weight", code=coded("29463-7"), valueQuantity=amount(70.5, "kg", unit="kilos")),
    observation("low", code=coded("8480-6"), valueQuantity=amount(90, comparator="<")),
    observation("bare", code={"coding": [{"code": "8480-6"}]}, valueQuantity={"value": 120}),
    observation("when", code=coded("1-8"), valueDateTime="2020-06-15T10:00:00Z"),
    observation("word", code=coded("1-8"), valueString="Positive, weakly"),
    observation("which", code=coded("1-8"), valueCodeableConcept=coded("LA1")),
    {
        "resourceType": "RiskAssessment",
        "id": "risk",
        "status": "final",
        "subject": {"reference": "Patient/ann"},
        "prediction": [{"probabilityDecimal": 0.25}],
    },
    {"resourceType": "Location", "id": "here", "position": {"latitude": 38.58, "longitude": -121.49}},
    {"resourceType": "Location", "id": "there", "position": {"latitude": 38.58, "longitude": -121.60}},
    {"resourceType": "Location", "id": "date-line", "position": {"latitude": 0, "longitude": 179.99}},
    {"resourceType": "Location", "id": "nowhere"},
    {
        "resourceType": "Group",
        "id": "group",
        "type": "person",
        "actual": False,
        "characteristic": [
            {"code": coded("a"), "valueBoolean": True, "exclude": False},
            {"code": coded("b"), "valueCodeableConcept": coded("c"), "exclude": False},
            {"code": coded("d"), "valueQuantity": amount(5), "exclude": False},
        ],
    },
    {
        "resourceType": "DocumentReference",
        "id": "document",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8"}}],
        "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/old"}}],
    },
    {
        "resourceType": "MolecularSequence",
        "id": "sequence",
        "coordinateSystem": 0,
        "referenceSeq": {"windowStart": 100, "windowEnd": 200, "chromosome": coded("20"), "genomeBuild": "x"},
        "variant": [{"start": 120, "end": 130}, {"start": 150, "end": 160}],
    },
)
PAIR = "Observation?code-value-quantity="
COMBO = "Observation?combo-code-value-quantity="
PART = "Observation?component-code-value-quantity="

ROWS = {
    # numbers
    "RiskAssessment?probability=0.25": "risk",
    "RiskAssessment?probability=0.2": "",
    "RiskAssessment?probability=0.3": "risk",
    "RiskAssessment?probability=gt0.25": "",
    "RiskAssessment?probability=ge0.25": "risk",
    "RiskAssessment?probability=sa0.2": "risk",
    "RiskAssessment?probability=ne0.25": "",
    "RiskAssessment?probability=ne0.5": "risk",
    "RiskAssessment?probability=ap0.27": "risk",
    "RiskAssessment?probability=1,0.25": "risk",
    "RiskAssessment?probability=25e-2": "risk",
    "MolecularSequence?variant-start=gt125": "sequence",
    "MolecularSequence?variant-start=gt155": "",
    # quantities
    "Observation?value-quantity=120": "bare",
    "Observation?value-quantity=gt70": "weight low bare",
    "Observation?value-quantity=lt90": "weight low",
    "Observation?value-quantity=90": "",
    f"Observation?value-quantity=70.5|{UCUM}|kg": "weight",
    "Observation?value-quantity=70.5||kg": "weight",
    "Observation?value-quantity=70.5||kilos": "weight",
    "Observation?value-quantity=70.5||lb": "",
    f"Observation?value-quantity=70.5|{UCUM}|lb": "",
    "Observation?component-value-quantity=60": "bp",
    "Observation?combo-value-quantity=120": "bare bp",
    "Observation?combo-value-quantity=120||mm[Hg]": "bp",
    # composites: the parts of one pair, not of two
    f"{PAIR}8480-6$120": "bare",
    f"{PAIR}{LOINC}|8480-6$120": "",
    f"{PAIR}|8480-6$120": "bare",
    f"{PAIR}8480-6$le120": "bare low",
    f"{PAIR}8480-6$120||mm[Hg]": "",
    f"{PART}8480-6$120": "bp",
    f"{PART}8480-6$60": "",
    f"{PART}8462-4$60|{UCUM}|mm[Hg]": "bp",
    f"{PART}8462-4$60||mm[Hg],8480-6$1": "bp",
    f"{COMBO}{LOINC}|8480-6$120": "bp",
    f"{COMBO}8480-6$120": "bare bp",
    f"{COMBO}8480-6$lt80": "low",
    f"{COMBO}8462-4$120": "",
    "Observation?code-value-date=1-8$2020-06-15": "when",
    "Observation?code-value-date=1-8$gt2021": "",
    "Observation?code-value-string=1-8$positive": "word",
    r"Observation?code-value-string=1-8$positive\, w": "word",
    "Observation?code-value-string=1-8$weakly": "",
    f"Observation?code-value-concept=1-8${LOINC}|LA1": "which",
    "Observation?code-value-concept=1-8$LA2": "",
    "Observation?combo-code-value-concept=1-8$LA1": "which",
    "Group?characteristic-value=a$true": "group",
    "Group?characteristic-value=a$false": "",
    "Group?characteristic-value=b$c": "group",
    "Group?characteristic-value=a$c": "",
    "Group?characteristic-value=d$mm[Hg]": "",
    "DocumentReference?relationship=replaces$DocumentReference/old": "document",
    "DocumentReference?relationship=replaces$old": "document",
    "DocumentReference?relationship=appends$old": "",
    "MolecularSequence?chromosome-variant-coordinate=20$ge120$le130": "sequence",
    "MolecularSequence?chromosome-variant-coordinate=20$ge130$le150": "",
    "MolecularSequence?chromosome-window-coordinate=20$100$200": "sequence",
    "MolecularSequence?chromosome-window-coordinate=21$100$200": "",
    # positions
    "Location?near=38.58|-121.49": "here there",
    "Location?near=38.58|-121.49|5|km": "here",
    "Location?near=38.58|-121.49|5000|m": "here",
    "Location?near=38.58|-121.49|6|[mi_i]": "here there",
    "Location?near=0|-179.99|5": "date-line",
    "Location?near=0|0|1,38.58|-121.49|0": "here",
    "Location?near:missing=true": "nowhere",
    "Location?near=90|0|30000": "date-line here there",
    # :missing
    "Patient?gender:missing=true": "bo",
    "Patient?gender:missing=false": "ann",
    "Patient?active:missing=true": "ann",
    "Patient?birthdate:missing=true": "bo",
    "Patient?name:missing=false": "ann",
    "Patient?identifier:missing=true": "",
    "Patient?_profile:missing=true": "bo",
    "Patient?_id:missing=false": "ann bo",
    "Patient?_lastUpdated:missing=true": "",
    "Patient?death-date:missing=true": "ann bo",
    "Patient?deceased:missing=false": "ann bo",
    "Patient?gender:missing=true&active=true": "bo",
    "Observation?subject:missing=false": "bp",
    "Observation?status:missing=true": "",
    "Observation?value-quantity:missing=false": "bare low weight",
    "Observation?combo-value-quantity:missing=false": "bare bp low weight",
    "Observation?combo-code-value-quantity:missing=true": "when which word",
    "Observation?component-code-value-quantity:missing=false": "bp",
    "RiskAssessment?probability:missing=false": "risk",
    # :not, :of-type, :text, :identifier
    "Patient?gender:not=female": "bo",
    "Patient?gender:not=male": "ann bo",
    "Patient?gender:not=female,male": "bo",
    "Patient?_id:not=ann": "bo",
    "Patient?identifier:not=urn:mrn|1&gender:missing=true": "bo",
    "Patient?identifier:of-type=urn:types|MR|1": "ann",
    "Patient?identifier:of-type=urn:types|MR|2": "",
    "Patient?identifier:of-type=urn:types|MC|1": "",
    "Patient?identifier:text=medical": "ann",
    "Patient?identifier:text=record": "",
    "Observation?code:text=blood": "bp",
    "Observation?code:text=BLOOD PRESSURE,none": "bp",
    "Observation?combo-code:text=blood": "bp",
    "Observation?subject:identifier=urn:cin|9": "bp",
    "Observation?subject:identifier=9": "bp",
    "Observation?subject:identifier=urn:cin|8": "",
    "Observation?subject:identifier=urn:cin|": "bp",
    # uris above and below, MIME types
    "Patient?_profile:below=https://p.invalid/a": "ann",
    "Patient?_profile:below=https://p.invalid/a/b": "ann",
    "Patient?_profile:below=https://p.invalid/": "ann",
    "Patient?_profile:below=https://p.inv": "",
    "Patient?_source:above=https://s.invalid/x#1": "ann",
    "Patient?_source:above=https://s.invalid/x": "",
    "Patient?_source:below=https://s.invalid/x": "ann",
    "DocumentReference?contenttype:below=text": "document",
    "DocumentReference?contenttype:below=text/plain": "document",
    "DocumentReference?contenttype:below=application": "",
    # dates
    "Patient?birthdate=ap1980-03": "ann",
    "Patient?birthdate=ap1930": "",
    "Patient?_lastUpdated=gt2020,lt2019": "ann bo",
    "Patient?_lastUpdated=ap2020": "",
}


def test_each_search_finds_what_the_table_says(api: Api) -> None:
    api.have(*COUNTY)
    wrong = {}
    for path, wanted in ROWS.items():
        answer = api.get(f"/{quote(path, safe='/?=&:')}&_count=50&_total=accurate")
        assert answer.status_code == 200, (path, answer.text)
        bundle = json.loads(answer.data)
        found = sorted(e["resource"]["id"] for e in bundle.get("entry", [])), bundle["total"]
        if found != (sorted(wanted.split()), len(wanted.split())):
            wrong[path] = (*found, wanted)
    assert wrong == {}


def test_a_decimal_is_found_by_the_digits_it_was_sent_with(api: Api) -> None:
    body = (
        b'{"resourceType": "RiskAssessment", "id": "r", "status": "final", "subject": {"reference": "Patient/1"},'
    )
    body += b' "prediction": [{"probabilityDecimal": 0.12345678901234567890}]}'
    assert api.put("/RiskAssessment/r", body).status_code == 201
    assert api.found(f"/RiskAssessment?probability={Decimal('0.12345678901234567890')}") == ["r"]


def test_what_an_update_takes_away_is_not_found_any_more(api: Api) -> None:
    weight = COUNTY[3]
    api.have(weight)
    assert api.found("/Observation?value-quantity=70.5") == ["weight"]
    api.have(weight | {"valueQuantity": amount(80, "kg")})
    assert api.found("/Observation?value-quantity=70.5") == []
    assert api.found("/Observation?value-quantity=80") == ["weight"]
    api.delete("/Observation/weight")
    assert api.found("/Observation?value-quantity:missing=true") == []
    assert api.found("/Observation?code:not=none") == []
