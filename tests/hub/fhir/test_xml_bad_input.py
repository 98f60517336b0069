"""What is no FHIR XML is refused with its kind, at once, and without opening anything."""

import json as plain_json
import re
import socket
import time
from pathlib import Path

import pytest

from hub.fhir import json, xml
from hub.problems import Problem

NS = 'xmlns="http://hl7.org/fhir"'
XHTML = "http://www.w3.org/1999/xhtml"


def refused(body: str | bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        xml.read(body.encode() if isinstance(body, str) else body)
    assert caught.value.status == 400
    return caught.value


def patient(inside: str) -> str:
    return f"<Patient {NS}>{inside}</Patient>"


def narrative(inside: str) -> str:
    return patient(f'<text><status value="generated"/>{inside}</text>')


STRUCTURE: dict[str, str | bytes] = {
    "nothing": "",
    "no XML": "{}",
    "not closed": f"<Patient {NS}>",
    "two roots": patient("") + patient(""),
    "an undefined entity": patient('<active value="&yes;"/>'),
    "X01 a DOCTYPE": f"<!DOCTYPE Patient>{patient('')}",
    "X01 a DOCTYPE with a file": f'<!DOCTYPE Patient SYSTEM "file:///etc/passwd">{patient("")}',
    "X03 XInclude": patient('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'),
    "X04 no namespace": "<Patient/>",
    "X04 another namespace": '<Patient xmlns="http://hl7.org/fhir/other"/>',
    "X04 another namespace inside": patient('<active xmlns="urn:x" value="true"/>'),
    "X04 XHTML as the root": f'<div xmlns="{XHTML}">a</div>',
    "X04 mixed text": patient("text"),
    "X04 text in a primitive": patient('<active value="true">true</active>'),
    "X05 declared Latin-1": f'<?xml version="1.0" encoding="ISO-8859-1"?>{patient("")}',
    "X05 declared UTF-16": f'<?xml version="1.0" encoding="UTF-16"?>{patient("")}',
    "X05 declared UTF-7": f'<?xml version="1.0" encoding="UTF-7"?>{patient("")}',
    "X05 Latin-1 bytes": f'<?xml version="1.0" encoding="UTF-8"?>{patient("<!-- é -->")}'.encode("latin-1"),
    "X05 UTF-16 bytes": patient("").encode("utf-16"),
    "X05 UTF-16 bytes without a mark": patient("").encode("utf-16-le"),
    "XML 1.1": f'<?xml version="1.1"?>{patient("")}',
    "an unknown type": f"<Patiant {NS}/>",
    "a data type as the root": f"<HumanName {NS}/>",
    "an abstract type as the root": f"<Resource {NS}/>",
    "an unknown element": patient('<nmae value="a"/>'),
    "an element of another type": patient('<status value="a"/>'),
    "the table's own words": patient('<resourceType value="Patient"/>'),
    "an id as an element": patient('<name><id value="a"/></name>'),
    "an id as an attribute": f'<Patient {NS} id="a"/>',
    "an unknown attribute": patient('<active value="true" class="x"/>'),
    "a value on a complex element": patient('<name value="x"/>'),
    "an attribute of another namespace": patient('<active xmlns:x="urn:x" x:value="true"/>'),
    "xml:lang": f'<Patient {NS} xml:lang="en"/>',
    "an attribute on a container": patient('<contained id="a"><Patient/></contained>'),
    "no value": patient("<active/>"),
    "an empty value": patient('<gender value=""/>'),
    "an empty id": patient('<name id=""><family value="F"/></name>'),
    "an empty element": patient("<name/>"),
    "an empty container": patient("<contained/>"),
    "two resources in one container": patient("<contained><Patient/><Patient/></contained>"),
    "an unknown type in a container": patient("<contained><Patiant/></contained>"),
    "a single element twice": patient('<active value="true"/><active value="true"/>'),
    "the wrong order": patient('<birthDate value="1980"/><active value="true"/>'),
    "a repeated element with another between": patient('<name id="a"/><active value="true"/><name id="b"/>'),
    "J07 U+0000": patient('<gender value="&#0;"/>'),
    "J08 a control character": patient('<gender value="&#1;"/>'),
    "J08 a control character, raw": patient('<gender value="\x1b"/>'),
    "a surrogate": patient('<gender value="&#xD800;"/>'),
    "a div of FHIR": narrative("<div>a</div>"),
    "a div beside the narrative": patient(f'<div xmlns="{XHTML}">a</div>'),
    "XHTML that is no div": narrative(f'<p xmlns="{XHTML}">a</p>'),
    "two divs": narrative(f'<div xmlns="{XHTML}">a</div><div xmlns="{XHTML}">a</div>'),
    "FHIR in a div": narrative(f'<div xmlns="{XHTML}"><active xmlns="http://hl7.org/fhir" value="true"/></div>'),
    "another namespace's attribute in a div": narrative(f'<div xmlns="{XHTML}" xmlns:x="urn:x" x:a="b">a</div>'),
    "an entity in a div": narrative(f'<div xmlns="{XHTML}">&nbsp;</div>'),
    "nothing in an extension but extensions": patient("<extension><extension/></extension>"),
}


@pytest.mark.parametrize("body", STRUCTURE.values(), ids=STRUCTURE)
def test_what_is_no_fhir_xml_is_refused(body: str | bytes) -> None:
    assert refused(body).kind == "structure"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("valueBoolean", "TRUE"),
        ("valueBoolean", "yes"),
        ("valueBoolean", " true"),
        ("valueInteger", "1.0"),
        ("valueInteger", "007"),
        ("valueInteger", "٣"),
        ("valueInteger", str(2**63)),
        ("valueInteger", "9" * 5000),
        ("valuePositiveInt", "one"),
        ("valueDecimal", "NaN"),
        ("valueDecimal", "Infinity"),
        ("valueDecimal", "1e400"),
        ("valueDecimal", "1e99999999999999999999"),
        ("valueDecimal", "1_0"),
        ("valueDecimal", ".5"),
        ("valueDecimal", "+5"),
        ("valueDecimal", "5 "),
    ],
)
def test_a_value_that_is_none_of_its_type_is_refused(name: str, value: str) -> None:
    extension = f'<extension url="u"><{name} value="{value}"/></extension>'
    problem = refused(patient(f'<name id="n"/><name id="m">{extension}</name>'))
    assert (problem.kind, problem.issues[0].where) == ("value", f"Patient.name[1].extension[0].{name}")
    assert value not in str(problem)


def test_a_place_inside_a_resource_inside_is_named() -> None:
    inside = "<resource><Patient><name><given/></name></Patient></resource>"
    problem = refused(f"<Bundle {NS}><entry>{inside}</entry></Bundle>")
    assert problem.issues[0].where == "Bundle.entry[0].resource.name[0].given[0]"


def test_a_message_holds_nothing_of_the_body() -> None:
    for body in STRUCTURE.values():
        assert not re.search(r"nmae|Patiant|passwd|yes|nbsp", str(refused(body)))


def laughs() -> str:
    lines = "".join(f'<!ENTITY l{n} "' + f"&l{n - 1};" * 10 + '">' for n in range(1, 12))
    return f'<!DOCTYPE Patient [<!ENTITY l0 "ha">{lines}]>' + patient('<gender value="&l11;"/>')


def quadratic() -> str:
    return '<!DOCTYPE p [<!ENTITY a "' + "a" * 50_000 + '">]>' + patient('<gender value="' + "&a;" * 50_000 + '"/>')


@pytest.mark.parametrize("body", [laughs(), quadratic()], ids=["X02 billion laughs", "X02 quadratic"])
def test_entities_are_refused_before_they_grow(body: str) -> None:
    started = time.process_time()
    assert refused(body).kind == "structure"
    assert time.process_time() - started < 0.1


def test_deep_nesting_is_refused_at_once() -> None:
    started = time.process_time()
    problem = refused(f"<Patient {NS}>" + '<extension url="a">' * 100_000)
    assert time.process_time() - started < 0.1
    assert "deeper" in str(problem)


@pytest.mark.parametrize("levels", range(28, 36))
@pytest.mark.parametrize("inner", ["valueCode", "valueHumanName", "valueHumanName.given"])
def test_xml_may_be_as_deep_as_json(levels: int, inner: str) -> None:
    inmost: dict[str, dict[str, object]] = {
        "valueCode": {"valueCode": "c"},
        "valueHumanName": {"valueHumanName": {"family": "F"}},
        "valueHumanName.given": {"valueHumanName": {"given": ["G"]}},
    }
    node: dict[str, object] = {"url": "a", **inmost[inner]}
    for _ in range(levels):
        node = {"url": "a", "extension": [node]}
    resource = {"resourceType": "Patient", "extension": [node]}
    assert _is_read(xml.read, xml.write(resource)) == _is_read(json.read, plain_json.dumps(resource).encode())


def _is_read(read: object, body: bytes) -> bool:
    try:
        read(body)  # type: ignore[operator]
    except Problem:
        return False
    return True


def opening(url: str) -> list[str]:
    """Documents that ask for something to be opened."""
    return [
        f'<!DOCTYPE Patient SYSTEM "{url}">{patient("")}',
        f'<!DOCTYPE Patient [<!ENTITY x SYSTEM "{url}">]>{patient("&x;")}',
        f'<!DOCTYPE Patient [<!ENTITY % x SYSTEM "{url}"> %x;]>{patient("")}',
        f'<?xml-stylesheet type="text/xsl" href="{url}"?>{patient("")}',
        patient(f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{url}" parse="text"/>'),
        f'<Patient {NS} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir {url}"/>',  # noqa: E501
    ]


def test_no_connection_is_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        for body in opening(f"http://127.0.0.1:{server.getsockname()[1]}/x"):
            _is_read(xml.read, body.encode())
        with pytest.raises(BlockingIOError):
            server.accept()


def test_no_file_is_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("<active value='true'/>")
    ignored, said = [], []
    for body in opening(secret.as_uri()):
        try:
            ignored.append(xml.read(body.encode()))
        except Problem as problem:
            said.append(problem.kind)
    assert ignored == [{"resourceType": "Patient"}] * 2
    assert said == ["structure"] * 4
