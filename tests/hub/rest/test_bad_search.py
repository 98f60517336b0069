"""Bad searches: what comes in, what must go out. Chains and filters come later: refused, not ignored."""

from urllib.parse import quote

import pytest

from tests.hub.asking import Api, mrn, observation, patient, refused

FORM = "application/x-www-form-urlencoded"

# name: path, status, issue code, what the text names
ROWS: dict[str, tuple[str, int, str, str]] = {
    "S01 unknown": ("/Patient?shoesize=44", 400, "not-supported", "shoesize"),
    "S01 of another type": ("/Patient?code=x", 400, "not-supported", "code"),
    "S03 unknown modifier": ("/Patient?name:foo=x", 400, "not-supported", ":foo"),
    "S03 a modifier of another type": ("/Patient?gender:exact=x", 400, "not-supported", ":exact"),
    "S03 :not of a string": ("/Patient?name:not=male", 400, "not-supported", ":not"),
    "S03 :identifier of a token": ("/Patient?identifier:identifier=a|b", 400, "not-supported", ":identifier"),
    "S03 :of-type of no identifier": ("/Patient?gender:of-type=a|b|c", 400, "not-supported", ":of-type"),
    "S03 :above of a reference": ("/Observation?subject:above=Patient/1", 400, "not-supported", ":above"),
    "S03 :text of a reference": ("/Observation?subject:text=x", 400, "not-supported", ":text"),
    "S03 :exact of a number": ("/RiskAssessment?probability:exact=1", 400, "not-supported", ":exact"),
    "S03 :in an unknown value set": ("/Patient?gender:in=urn:invented", 400, "not-supported", "gender:in"),
    "S03 :not-in an unknown one": ("/Patient?gender:not-in=urn:invented", 400, "not-supported", "gender:not-in"),
    "S03 :below an unknown code": ("/Condition?code:below=urn:x|1", 400, "not-supported", "code:below"),
    "S03 :Resource": ("/Task?focus:Resource=1", 400, "not-supported", ":Resource"),
    "S03 a type it cannot point at": ("/Observation?encounter:Patient=1", 400, "not-supported", ":Patient"),
    "S04 prefix": ("/Patient?birthdate=zz2020", 400, "value", "birthdate"),
    "S04 date": ("/Patient?birthdate=2020-02-30", 400, "value", "birthdate"),
    "S04 month": ("/Patient?_lastUpdated=2020-13", 400, "value", "_lastUpdated"),
    "S04 no date": ("/Patient?birthdate=gt", 400, "value", "birthdate"),
    "S04 other digits": (f"/Patient?birthdate={quote('٢٠٢٠')}", 400, "value", "birthdate"),
    "S04 prefix of a number": ("/RiskAssessment?probability=zz0.5", 400, "value", "probability"),
    "S04 no number": ("/RiskAssessment?probability=half", 400, "value", "probability"),
    "S04 half a number": ("/RiskAssessment?probability=.5", 400, "value", "probability"),
    "S04 no finite number": ("/RiskAssessment?probability=NaN", 400, "value", "probability"),
    "S04 a huge exponent": ("/RiskAssessment?probability=1e999", 400, "value", "probability"),
    "S04 a long number": (f"/RiskAssessment?probability={'9' * 65}", 400, "value", "probability"),
    "S04 no quantity": ("/Observation?value-quantity=x", 400, "value", "value-quantity"),
    "S04 a quantity of two parts": ("/Observation?value-quantity=5|mg", 400, "value", "value-quantity"),
    "S04 a quantity without a unit": ("/Observation?value-quantity=5|urn:x|", 400, "value", "value-quantity"),
    "S04 half a composite": ("/Observation?code-value-quantity=a", 400, "value", "code-value"),
    "S04 a composite of three": ("/Observation?code-value-quantity=a$1$2", 400, "value", "code-value"),
    "S04 a composite of no code": ("/Observation?code-value-quantity=urn:x|$1", 400, "value", "code-value"),
    "S04 a composite of no number": ("/Observation?code-value-quantity=a$b", 400, "value", "code-value"),
    "S04 near nothing": ("/Location?near=x|y", 400, "value", "near"),
    "S04 near one number": ("/Location?near=1", 400, "value", "near"),
    "S04 near no place": ("/Location?near=91|0", 400, "value", "near"),
    "S04 near in ells": ("/Location?near=1|1|1|ell", 400, "value", "near"),
    "S04 near less than nothing": ("/Location?near=1|1|-1|km", 400, "value", "near"),
    "S04 :missing=maybe": ("/Patient?name:missing=maybe", 400, "value", "name"),
    "S04 :missing both": ("/Patient?name:missing=true,false", 400, "value", "name"),
    "S04 :of-type of two parts": ("/Patient?identifier:of-type=a|b", 400, "value", "identifier"),
    "S04 :below of a bare code": ("/Condition?code:below=1", 400, "value", "code"),
    "S05 _count=-1": ("/Patient?_count=-1", 400, "value", "_count"),
    "S05 _count=abc": ("/Patient?_count=abc", 400, "value", "_count"),
    "S05 _count=": ("/Patient?_count=", 400, "value", "_count"),
    "S09 10,000 alternatives": ("/Patient?identifier=" + "a," * 10_000, 400, "too-costly", "identifier"),
    "S10 chain of 12": ("/Observation?" + "subject." * 11 + "name=x", 400, "too-costly", "steps"),
    "S10 _has of 12": ("/Patient?" + "_has:Observation:patient:" * 12 + "code=x", 400, "too-costly", "steps"),
    "S11 _include of one part": ("/Observation?_include=subject", 400, "not-supported", "_include"),
    "S11 _include of four": (
        "/Task?_include=Task:subject:Patient:x",
        400,
        "not-supported",
        "_include",
    ),
    "S11 _include, a gap": ("/Observation?_include=Observation:subject:", 400, "not-supported", "_include"),
    "S11 _include of nothing": ("/Observation?_include=", 400, "not-supported", "_include"),
    "S11 _include, no type": ("/Observation?_include=Patiant:subject", 400, "not-supported", "_include"),
    "S11 _include, no parameter": ("/Observation?_include=Observation:x", 400, "not-supported", "_include"),
    "S11 _include, no reference": ("/Observation?_include=Observation:code", 400, "not-supported", "_include"),
    "S11 _include, no target": ("/Observation?_include=Observation:subject:Task", 400, "not-supported", "_include"),
    "S11 _include, no such target": (
        "/Task?_include=Task:subject:X",
        400,
        "not-supported",
        "_include",
    ),
    "S11 _include of another type": ("/Observation?_include=Encounter:patient", 400, "not-supported", "_include"),
    "S11 _include:foo": ("/Observation?_include:foo=Observation:subject", 400, "not-supported", "_include"),
    "S11 _include:iterate, no type": ("/Observation?_include:iterate=X:subject", 400, "not-supported", "_include"),
    "S11 _includes": ("/Observation?_includes=Observation:subject", 400, "not-supported", "_include"),
    "S11 _include, nothing to follow": ("/Binary?_include=Binary:*", 400, "not-supported", "_include"),
    "S11 _revinclude, no type": ("/Patient?_revinclude=X:subject", 400, "not-supported", "_revinclude"),
    "S11 _revinclude, no parameter": ("/Patient?_revinclude=Task:x", 400, "not-supported", "_revinclude"),
    "S11 _revinclude of elsewhere": ("/Task?_revinclude=Observation:subject", 400, "not-supported", "_revinclude"),
    "S11 _revinclude, other target": (
        "/Patient?_revinclude=Observation:subject:Group",
        400,
        "not-supported",
        "_revinclude",
    ),
    "    S11 _revinclude=*": ("/Patient?_revinclude=*", 400, "too-costly", "_revinclude"),
    "    _elements and _summary": ("/Patient?_elements=name&_summary=true", 400, "conflict", "_elements"),
    "    _summary=text and _include": ("/Task?_include=Task:patient&_summary=text", 400, "conflict", "_summary"),
    "S03 chain": ("/Observation?patient.foo=x", 400, "not-supported", "foo"),
    "S03 _has": ("/Patient?_has:Observation:code:code=x", 400, "not-supported", "code"),
    "S13 _sort=foo": ("/Patient?_sort=foo", 400, "not-supported", "_sort"),
    "S13 _sort=": ("/Patient?_sort=", 400, "value", "_sort"),
    "S13 _sort=--date": ("/Patient?_sort=--birthdate", 400, "value", "_sort"),
    "S13 _sort by a composite": ("/Observation?_sort=code-value-quantity", 400, "not-supported", "_sort"),
    "S14 no cursor of ours": ("/Patient?_cursor=abc", 400, "invalid", ""),
    "S14 an empty half": ("/Patient?_cursor=.", 400, "invalid", ""),
    "S14 no ASCII": (f"/Patient?_cursor={quote('é.ü')}", 400, "invalid", ""),
    "S17 _filter": ("/Patient?_filter=shoesize eq 44", 400, "not-supported", "_filter"),
    "S17 _query": ("/Patient?_query=x", 400, "not-supported", "_query"),
    "S17 _text": ("/Patient?_text=x", 400, "not-supported", "_text"),
    "S17 _content": ("/Patient?_content=x", 400, "not-supported", "_content"),
    "S17 _elements": ("/Patient?_elements=shoesize", 400, "not-supported", "_elements"),
    "S17 _elements, one unknown": ("/Patient?_elements=name,code", 400, "not-supported", "_elements"),
    "S17 _elements, nested": ("/Patient?_elements=name.given", 400, "not-supported", "_elements"),
    "S17 _elements of nothing": ("/Patient?_elements=", 400, "not-supported", "_elements"),
    "S17 _summary": ("/Patient?_summary=maybe", 400, "not-supported", "_summary"),
    "S17 _total": ("/Patient?_total=maybe", 400, "not-supported", "_total"),
    "S17 _contained": ("/Patient?_contained=true", 400, "not-supported", "_contained"),
    "S17 _containedType": ("/Patient?_containedType=contained", 400, "not-supported", "_containedType"),
    "S17 _list": ("/Patient?_list=$current-problems", 400, "not-supported", "_list"),
    "S18 three parts": ("/Patient?identifier=a|b|c", 400, "value", "identifier"),
    "S18 only the bar": ("/Patient?identifier=|", 400, "value", "identifier"),
    "S18 nothing": ("/Patient?identifier=", 400, "value", "identifier"),
    "S18 only commas": ("/Patient?identifier=,,", 400, "value", "identifier"),
    "S23 200 parameters": ("/Patient?" + "&".join(["identifier=" + "a" * 4096] * 200), 400, "too-long", ""),
    "S24 no such type": ("/Patiant?name=x", 404, "not-supported", ""),
    "S17 age": ("/Patient?age=5", 400, "not-supported", "age"),
    "S17 birthOrderBoolean": ("/Patient?birthOrderBoolean=true", 400, "not-supported", "birthOrderBoolean"),
    "   NUL in a string": ("/Patient?name=%00", 400, "value", "name"),
    "   NUL in an id": ("/Patient?_id=%00", 400, "value", "_id"),
    "   NUL in a token": ("/Patient?identifier=a%00", 400, "value", "identifier"),
    "   a typed reference of another type": ("/Observation?subject:Patient=Group/1", 400, "value", "subject"),
}


@pytest.mark.parametrize(("path", "status", "code", "named"), ROWS.values(), ids=ROWS)
def test_a_bad_search_is_refused_by_get_and_by_form(
    api: Api, path: str, status: int, code: str, named: str
) -> None:
    where, _, query = path.partition("?")
    for answer in (api.get(path), api.form(f"{where}/_search", query)):
        assert named in refused(answer, status, code)["diagnostics"]


LENIENT = [name for name, row in ROWS.items() if name[:3] in ("S01", "S03", "S17", "S11")]
LENIENT = [name for name in LENIENT if ROWS[name][3] not in ("_summary", "_total")]


@pytest.mark.parametrize("name", LENIENT)
def test_lenient_handling_leaves_it_out_and_says_so(api: Api, name: str) -> None:
    """S02, S17"""
    api.have(patient("1"))
    path, _, _, named = ROWS[name]
    where = path.partition("?")[0]
    answer = api.get(f"{path}&_count=5", Prefer="handling=lenient")
    assert answer.status_code == 200, answer.text
    (self_link,) = (link["url"] for link in answer.json["link"] if link["relation"] == "self")
    assert self_link.endswith(f"{where}?_count=5")
    outcome = answer.json["entry"][-1]
    assert outcome["search"]["mode"] == "outcome"
    assert outcome["resource"]["issue"][0]["severity"] == "warning"
    assert named.strip(":") in outcome["resource"]["issue"][0]["diagnostics"]


def test_lenient_handling_still_refuses_values_that_do_not_parse(api: Api) -> None:
    refused(api.get("/Patient?birthdate=zz2020", Prefer="handling=lenient"), 400, "value")


TWICE = {
    "_summary": ("true", "text"),
    "_total": ("none", "accurate"),
    "_count": ("1", "2"),
    "_cursor": ("", ""),
    "_sort": ("_id", "_lastUpdated"),
}


@pytest.mark.parametrize("name", TWICE)
def test_what_has_one_value_stands_once(api: Api, name: str) -> None:
    """The last would count, and the self link claim both."""
    api.have(patient("1"))
    first, second = (f"{name}={value}" for value in TWICE[name])
    asked = f"{first}&{second}"
    for where in ("/Patient", "/", "/Patient/1/Observation", "/Patient/1/*"):
        refused(api.get(f"{where}?{asked}"), 400, "value")
    for again in (asked, f"{first}&{first}"):
        refused(api.get(f"/Patient?{again}", Prefer="handling=lenient"), 400, "value")
    refused(api.form("/Patient/_search", asked), 400, "value")
    refused(api.form(f"/Patient/_search?{first}", second), 400, "value")


def test_what_adds_up_may_stand_several_times(api: Api) -> None:
    api.have(patient("1", gender="other", name=[{"family": "Invented"}]))
    path = "/Patient?_elements=gender&_elements=name&_include=Patient:link&_include=Patient:organization"
    (found,) = api.get(path).json["entry"]
    assert {"gender", "name"} <= found["resource"].keys()


def test_a_count_past_the_limit_is_the_limit(api: Api) -> None:
    """S06"""
    answer = api.get("/Patient?_count=1000000")
    assert answer.status_code == 200
    assert answer.json["link"][0]["url"].endswith("_count=50")


@pytest.mark.parametrize("query", ["_count=0", "_summary=count"])
def test_a_count_of_nothing_is_the_number_only(api: Api, query: str) -> None:
    """S07"""
    api.have(patient("1"), patient("2"), observation("3"))
    body = api.get(f"/Patient?{query}").json
    assert body["total"] == 2
    assert "entry" not in body


@pytest.mark.parametrize("text", ["' OR 1=1--", "%", "_", "\\", "%%", "a%", "\\%", "*", "?"])
def test_signs_of_sql_are_only_signs(api: Api, text: str) -> None:
    """S08"""
    api.have(patient("plain", name=[{"family": "abc"}], identifier=mrn("abc")))
    api.have(patient("signs", name=[{"family": text}], identifier=mrn(text)))
    for parameter in ("name", "name:contains", "name:exact", "identifier", "family"):
        value = text.replace("\\", "\\\\")
        assert api.found(f"/Patient?{parameter}={quote(value)}") == ["signs"], parameter
    assert api.found(f"/Patient?_id={quote(text)}") == []


def test_an_address_elsewhere_finds_nothing_here(api: Api) -> None:
    """S22"""
    api.have(patient("1"), observation("o", subject={"reference": "Patient/1"}))
    assert api.found("/Observation?patient=https://other.invalid/Patient/1") == []
    assert api.found("/Observation?patient=https://hub.example/fhir/Patient/1") == ["o"]


def test_a_form_search_takes_no_json(api: Api) -> None:
    """S20"""
    refused(api.post("/Patient/_search", {"name": "x"}), 415, "not-supported")
    refused(api.ask("POST", "/Patient/_search", b"name=x", Content_Type=""), 415, "not-supported")


def test_a_form_that_is_not_utf8_is_refused(api: Api) -> None:
    refused(api.ask("POST", "/Patient/_search", b"name=\xff", Content_Type=FORM), 400, "value")


def test_parameters_of_url_and_form_all_apply(api: Api) -> None:
    """S21"""
    api.have(
        observation("mine", subject={"reference": "Patient/1"}),
        observation("done", subject={"reference": "Patient/1"}, status="amended"),
        observation("other", subject={"reference": "Patient/2"}),
    )
    for path, form, ids in (
        ("?patient=1", "status=final", ["mine"]),
        ("?patient=1", "patient=2", []),
        ("?patient=2", "patient=1", []),
        ("", "patient=1&patient=2", []),
        ("", "patient=1,2&status=final", ["mine", "other"]),
    ):
        answer = api.form(f"/Observation/_search{path}", form)
        assert sorted(e["resource"]["id"] for e in answer.json.get("entry", [])) == ids, (path, form)
