"""`_filter`: what it finds, and what it refuses."""

from urllib.parse import quote

import pytest

from tests.hub.asking import Api, mrn, observation, patient, refused


@pytest.fixture
def county(api: Api) -> Api:
    api.have(
        {"resourceType": "Organization", "id": "org", "name": "North"},
        patient("ann", name=[{"family": "Apple", "given": ["Ann Mary"]}], gender="female", birthDate="1980-05-05"),
        patient("bob", name=[{"family": "Bee"}], gender="male", birthDate="1990-01-01", identifier=mrn("1,a"),
                managingOrganization={"reference": "Organization/org"}),
        patient("cy"),
        observation("o", subject={"reference": "Patient/bob"},
                    effectivePeriod={"start": "2020-01-01", "end": "2020-02-01"}),
    )  # fmt: skip
    return api


FOUND = {
    "Patient?name eq apple": {"ann"},
    'Patient?name eq "ANN mary"': {"ann"},
    "Patient?name eq app": set(),
    "Patient?name sw app": {"ann"},
    "Patient?name ew ple": {"ann"},
    "Patient?name co ppl": {"ann"},
    "Patient?name co %": set(),
    "Patient?name ne apple": {"bob", "cy"},
    "Patient?gender eq female": {"ann"},
    "Patient?gender ne female": {"bob", "cy"},
    "Patient?gender pr true": {"ann", "bob"},
    "Patient?gender pr false": {"cy"},
    'Patient?identifier eq "https://hospital.invalid/mrn|1,a"': {"bob"},
    "Patient?birthdate ge 1985-01-01": {"bob"},
    "Patient?birthdate lt 1985-01-01": {"ann"},
    "Patient?birthdate po 1980": {"ann"},
    "Patient?birthdate eq 1980": {"ann"},
    "Patient?gender eq female or gender eq male": {"ann", "bob"},
    "Patient?gender eq female and name eq bee": set(),
    "Patient?gender eq female or gender eq male and name eq bee": {"bob"},
    "Patient?gender eq female or (gender eq male and name eq bee)": {"ann", "bob"},
    "Patient?not (gender eq female)": {"bob", "cy"},
    "Patient?not (gender eq female or gender eq male) and gender pr false": {"cy"},
    "Patient?organization.name eq north": {"bob"},
    "Patient?organization.name ne north": set(),
    "Patient?organization re Organization/org": {"bob"},
    "Patient?_id eq ann": {"ann"},
    "Patient?_lastUpdated gt 2020-01-01": {"ann", "bob", "cy"},
    "Observation?date po 2020-01-15": {"o"},
    "Observation?date po 2020-03": set(),
    "Observation?subject.name sw be": {"o"},
    "Observation?subject:Patient.organization.name eq north": {"o"},
}


@pytest.mark.parametrize("text", FOUND)
def test_filters_find(county: Api, text: str) -> None:
    where, _, expression = text.partition("?")
    assert sorted(county.found(f"/{where}?_filter={quote(expression)}")) == sorted(FOUND[text])


def test_a_filter_holds_together_with_other_parameters(county: Api) -> None:
    assert county.found("/Patient?gender=male&_filter=" + quote("birthdate gt 1900")) == ["bob"]
    assert county.found("/Patient?_sort=-birthdate&_filter=" + quote("name pr true")) == ["bob", "ann"]


REFUSED = {
    "nothing": ("", "value"),
    "one word": ("name", "value"),
    "no value": ("name eq", "value"),
    "no operator": ("name zz x", "not-supported"),
    "unknown": ("foo eq x", "not-supported"),
    "open": ("(name eq x", "value"),
    "closed": ("name eq x)", "value"),
    "not without parentheses": ("not name eq x", "not-supported"),
    "end": ("name eq x and", "value"),
    "string": ('name eq "x', "value"),
    "filter in a path": ("link[type eq x].other eq y", "not-supported"),
    "operator of another type": ("gender gt x", "not-supported"),
    "text greater": ("name gt x", "not-supported"),
    "date": ("birthdate eq x", "value"),
    "overlap": ("birthdate po x", "value"),
    "present": ("name pr maybe", "value"),
    "modifier": ("name:exact eq x", "not-supported"),
    "many": (" or ".join(["name eq x"] * 51), "too-costly"),
    "deep": ("(" * 30 + "name eq x" + ")" * 30, "too-costly"),
    "deep chain": ("link.link.link.link.link.link.name eq x", "too-costly"),
    "long": ("name eq " + "x" * 5000, "too-long"),
}


@pytest.mark.parametrize(("text", "code"), REFUSED.values(), ids=REFUSED)
def test_what_a_filter_refuses(api: Api, text: str, code: str) -> None:
    refused(api.get(f"/Patient?_filter={quote(text)}"), 400, code)
