"""Searching by each kind of parameter, over the REST API: what is found, and what is not."""

import pytest

from tests.hub.asking import BASE, Api, mrn, observation, patient, refused

LOINC = "http://loinc.org"
COUNTY = (
    patient(
        "ann",
        identifier=[{"system": "https://a.invalid", "value": "1"}, {"value": "bare"}],
        name=[{"family": "O'Brien-Núñez", "given": ["Ann  Marie"], "text": "Ann, the first"}],
        birthDate="1980-02-29",
        active=True,
        telecom=[{"system": "phone", "value": "555-0100"}],
        address=[{"city": "Exampleton", "line": ["1 Invented Way"]}],
        meta={
            "profile": ["https://profiles.invalid/p|1.0"],
            "tag": [{"system": "https://t.invalid", "code": "demo"}],
        },
    ),
    patient(
        "bo",
        identifier=[{"system": "https://b.invalid", "value": "1"}],
        name=[{"family": "Brienna"}],
        birthDate="1980",
        deceasedDateTime="2020-01-01",
    ),
    patient("cy", name=[{"family": "obrien"}], birthDate="1981-01-01", active=False, deceasedBoolean=False),
    observation(
        "o1",
        subject={"reference": "Patient/ann"},
        code={"coding": [{"system": LOINC, "code": "1-8"}, {"code": "bare"}], "text": "words"},
        category=[{"coding": [{"system": "https://c.invalid", "code": "vital"}]}],
        effectiveDateTime="2020-06-15T12:00:00-07:00",
    ),
    observation(
        "o2",
        subject={"reference": f"{BASE}/Patient/ann"},
        status="amended",
        effectivePeriod={"start": "2020-01-01"},
    ),
    observation("o3", subject={"reference": "Group/ann"}, effectiveDateTime="2021"),
    observation(
        "o4", subject={"reference": "https://other.invalid/fhir/Patient/ann"}, effectivePeriod={"end": "2019-12-31"}
    ),
    observation("o5", subject={"reference": "Patient/ann/_history/2"}, effectiveDateTime="9999-12-31"),
    {
        "resourceType": "Task",
        "id": "t1",
        "status": "requested",
        "intent": "order",
        "focus": {"reference": "ServiceRequest/s1"},
        "for": {"reference": "Patient/bo"},
    },
    {
        "resourceType": "CarePlan",
        "id": "c1",
        "status": "active",
        "intent": "plan",
        "subject": {"reference": "Patient/bo"},
        "instantiatesCanonical": ["https://plans.invalid/x|2.0"],
        "instantiatesUri": ["urn:invented:1"],
    },
)

ROWS = {
    # ids
    "Patient?_id=ann": "ann",
    "Patient?_id=ann,cy,none": "ann cy",
    "Patient?_id=ANN": "",
    # tokens
    "Patient?identifier=1": "ann bo",
    "Patient?identifier=https://a.invalid|1": "ann",
    "Patient?identifier=https://c.invalid|1": "",
    "Patient?identifier=|1": "",
    "Patient?identifier=|bare": "ann",
    "Patient?identifier=https://b.invalid|": "bo",
    "Patient?identifier=https://a.invalid|1,https://b.invalid|1": "ann bo",
    "Patient?identifier=https://a.invalid|1&identifier=bare": "ann",
    "Patient?identifier=https://a.invalid|1&identifier=https://b.invalid|1": "",
    "Patient?active=true": "ann",
    "Patient?active=false": "cy",
    "Patient?active=|true": "ann",
    "Patient?active=https://a.invalid|true": "",
    "Patient?phone=|555-0100": "ann",
    "Patient?phone=phone|555-0100": "",
    "Patient?deceased=true": "bo",
    "Patient?deceased=false": "ann cy",
    "Patient?phone=555-0100": "ann",
    "Patient?telecom=555-0100": "ann",
    "Patient?email=555-0100": "",
    "Patient?_tag=https://t.invalid|demo": "ann",
    "Observation?code=1-8": "o1",
    "Observation?code=http://loinc.org|1-8": "o1",
    "Observation?code=|1-8": "",
    "Observation?code=|bare": "o1",
    "Observation?code=http://loinc.org|bare": "",
    "Observation?category=vital": "o1",
    "Observation?status=final": "o1 o3 o4 o5",
    "Observation?status=final,amended": "o1 o2 o3 o4 o5",
    "Observation?status=final&code=1-8&patient=ann": "o1",
    "Observation?status=amended&code=1-8&patient=ann": "",
    # references
    "Observation?patient=ann": "o1 o2 o5",
    "Observation?patient=Patient/ann": "o1 o2 o5",
    f"Observation?patient={BASE}/Patient/ann": "o1 o2 o5",
    "Observation?patient=Patient/ann/_history/1": "o1 o2 o5",
    "Observation?patient=Group/ann": "",
    "Observation?patient=https://other.invalid/fhir/Patient/ann": "o4",
    "Observation?subject=ann": "o1 o2 o3 o5",
    "Observation?subject=Patient/ann": "o1 o2 o5",
    "Observation?subject:Patient=ann": "o1 o2 o5",
    "Observation?subject:Group=ann": "o3",
    "Observation?subject=Group/ann": "o3",
    "Observation?subject=https://other.invalid/fhir/Patient/ann": "o4",
    "Observation?patient=Patient/ann,Patient/bo": "o1 o2 o5",
    "Task?focus=s1": "t1",
    "Task?focus=ServiceRequest/s1": "t1",
    "Task?focus:ServiceRequest=s1": "t1",
    "Task?focus:CarePlan=s1": "",
    "Task?patient=bo": "t1",
    "CarePlan?instantiates-canonical=https://plans.invalid/x": "c1",
    "CarePlan?instantiates-canonical=https://plans.invalid/x|2.0": "c1",
    "CarePlan?instantiates-canonical=https://plans.invalid/x|1.0": "",
    # uris
    "CarePlan?instantiates-uri=urn:invented:1": "c1",
    "CarePlan?instantiates-uri=urn:invented": "",
    # strings
    "Patient?name=o'brien": "ann",
    "Patient?name=NUNEZ": "",
    "Patient?name:contains=nunez": "ann",
    "Patient?name:contains=BRIEN": "ann bo cy",
    "Patient?name=brien": "bo",
    "Patient?name=obrien,brienna": "bo cy",
    "Patient?family:exact=obrien": "cy",
    "Patient?family:exact=Obrien": "",
    "Patient?family:exact=obrie": "",
    "Patient?name=ann marie": "ann",
    "Patient?given=Ann": "ann",
    r"Patient?name=ann\, the": "ann",
    "Patient?address=1 invented": "ann",
    "Patient?address-city=example": "ann",
    # dates
    "Patient?birthdate=1980": "ann bo",
    "Patient?birthdate=1980-02-29": "ann",
    "Patient?birthdate=1980-02": "ann",
    "Patient?birthdate=ne1980": "cy",
    "Patient?birthdate=gt1980": "cy",
    "Patient?birthdate=lt1981": "ann bo",
    "Patient?birthdate=ge1980-03": "bo cy",
    "Patient?birthdate=le1980-02-29": "ann bo",
    "Patient?birthdate=sa1980-02-29": "cy",
    "Patient?birthdate=eb1981": "ann bo",
    "Patient?birthdate=ge1980-01-01&birthdate=lt1980-03-01": "ann bo",
    "Observation?date=2020-06-15": "o1",
    "Observation?date=2020-06-15T19:00:00Z": "o1",
    "Observation?date=2020-06-15T12:00:00-07:00": "o1",
    "Observation?date=2020-06-15T21:00:00+02:00": "o1",
    "Observation?date=2020-06-15T12:00:00Z": "",
    "Observation?date=gt2020-06-15T19:00": "o2 o3 o5",
    "Observation?date=2020": "o1",
    "Observation?date=sa2020": "o3 o5",
    "Observation?date=eb2020": "o4",
    "Observation?date=ge2021": "o2 o3 o5",
    "Observation?date=lt2020": "o4",
    "Observation?date=9999-12-31": "o5",
    "Observation?date=9999": "o5",
    "Patient?_lastUpdated=lt2020": "",
    "Patient?_lastUpdated=gt2020": "ann bo cy",
    "Patient?_lastUpdated=gt2020&_id=ann": "ann",
    "Patient?_lastUpdated=gt2020&name=brienna": "bo",
}


@pytest.fixture
def county(api: Api) -> Api:
    api.have(*COUNTY)
    return api


def test_each_search_finds_what_it_should(county: Api) -> None:
    """One store for all rows: nothing here writes."""
    wrong = {}
    for query, ids in ROWS.items():
        where, _, text = query.partition("?")
        for sort in ("", "&_sort=-_lastUpdated"):
            found = sorted(county.found(f"/{where}?{text.replace('+', '%2B')}{sort}"))
            total = county.get(f"/{where}?{text.replace('+', '%2B')}&_summary=count").json["total"]
            if (found, total) != (ids.split(), len(found)):
                wrong[query] = (found, total)
    assert wrong == {}


def test_a_form_finds_the_same(county: Api) -> None:
    for query, ids in list(ROWS.items())[::7]:
        where, _, text = query.partition("?")
        body = county.form(f"/{where}/_search", text.replace("+", "%2B")).json
        assert sorted(e["resource"]["id"] for e in body.get("entry", [])) == ids.split(), query


def test_an_offset_whose_plus_was_not_escaped_is_understood(county: Api) -> None:
    assert county.found("/Observation?date=2020-06-15T21:00:00+02:00") == ["o1"]


def test_last_updated_is_found_to_the_instant(county: Api) -> None:
    at = county.get("/Patient/ann").json["meta"]["lastUpdated"]
    assert county.found(f"/Patient?_lastUpdated={at}") == ["ann"]
    assert county.found(f"/Patient?_lastUpdated=lt{at}") == []
    assert county.found(f"/Patient?_lastUpdated=gt{at}") == ["bo", "cy"]
    assert county.found(f"/Patient?_lastUpdated=ge{at}&_lastUpdated=le{at}") == ["ann"]


def test_an_entry_has_its_address_and_why_it_is_there(county: Api) -> None:
    body = county.get("/Patient?_id=ann").json
    (entry,) = body["entry"]
    assert (body["type"], entry["fullUrl"], entry["search"]) == (
        "searchset",
        f"{BASE}/Patient/ann",
        {"mode": "match"},
    )


def test_what_changed_is_found_by_its_new_values_only(api: Api) -> None:
    api.have(patient("1", identifier=mrn("a"), name=[{"family": "before"}], birthDate="1980"))
    api.have(patient("1", identifier=mrn("b"), name=[{"family": "after"}], birthDate="1990"))
    for query in ("identifier=a", "name=before", "birthdate=1980"):
        assert api.found(f"/Patient?{query}") == []
    for query in ("identifier=b", "name=after", "birthdate=1990"):
        assert api.found(f"/Patient?{query}") == ["1"]


def test_a_text_longer_than_the_index_keeps_is_found_by_its_beginning(api: Api) -> None:
    long = "x" * 600
    api.have(patient("1", name=[{"text": f"{long}a"}]), patient("2", name=[{"text": f"{long}b"}]))
    refused(api.get(f"/Patient?name={long}a"), 400, "too-long")  # the index could not count what it finds
    assert api.found(f"/Patient?name:exact={long}b") == ["2"]
    assert api.found(f"/Patient?name={long[:399]}") == ["1", "2"]
    refused(api.get(f"/Patient?_summary=count&name:foo={long}"), 400, "not-supported")
