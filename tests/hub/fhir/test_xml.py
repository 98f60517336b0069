"""FHIR XML and FHIR JSON say the same: what is read from the one is what is read from the other."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fhir import json, xml

NS = 'xmlns="http://hl7.org/fhir"'
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'

PAIRS = {
    "an id, a date, a boolean": (
        f'<Patient {NS}><id value="a"/><active value="false"/><birthDate value="1980-02"/></Patient>',
        {"resourceType": "Patient", "id": "a", "active": False, "birthDate": "1980-02"},
    ),
    "digits of a decimal": (
        f'<Observation {NS}><valueQuantity><value value="72.50"/></valueQuantity></Observation>',
        {"resourceType": "Observation", "valueQuantity": {"value": Decimal("72.50")}},
    ),
    "a whole decimal and an integer": (
        f'<Basic {NS}><extension url="a"><valueDecimal value="-3"/></extension>'
        '<extension url="b"><valueInteger value="4"/></extension></Basic>',
        {
            "resourceType": "Basic",
            "extension": [{"url": "a", "valueDecimal": -3}, {"url": "b", "valueInteger": 4}],
        },
    ),
    "what stands beside a primitive": (
        f'<Patient {NS}><birthDate id="d" value="1980"><extension url="u"><valueCode value="c"/></extension>'
        "</birthDate></Patient>",
        {
            "resourceType": "Patient",
            "birthDate": "1980",
            "_birthDate": {"id": "d", "extension": [{"url": "u", "valueCode": "c"}]},
        },
    ),
    "repeated primitives, some with something beside them": (
        f'<Patient {NS}><name><given value="A"/><given><extension url="u"><valueCode value="c"/>'
        '</extension></given><given id="g" value="C"/><given value="D"/></name></Patient>',
        {
            "resourceType": "Patient",
            "name": [
                {
                    "given": ["A", None, "C", "D"],
                    "_given": [None, {"extension": [{"url": "u", "valueCode": "c"}]}, {"id": "g"}, None],
                }
            ],
        },
    ),
    "repeated primitives without any value": (
        f'<Patient {NS}><name><given id="a"><extension url="u"><valueCode value="c"/></extension></given></name>'
        "</Patient>",
        {
            "resourceType": "Patient",
            "name": [{"_given": [{"id": "a", "extension": [{"url": "u", "valueCode": "c"}]}]}],
        },
    ),
    "an id inside, extensions in extensions": (
        f'<Patient {NS}><extension id="e" url="a"><extension url="b"><valueCode value="c"/></extension></extension>'
        "</Patient>",
        {
            "resourceType": "Patient",
            "extension": [{"id": "e", "extension": [{"url": "b", "valueCode": "c"}], "url": "a"}],
        },
    ),
    "contained resources": (
        f'<List {NS}><contained><Patient><id value="p"/></Patient></contained><contained><Basic><id value="b"/>'
        "</Basic></contained></List>",
        {
            "resourceType": "List",
            "contained": [{"resourceType": "Patient", "id": "p"}, {"resourceType": "Basic", "id": "b"}],
        },
    ),
    "entries of a Bundle": (
        f'<Bundle {NS}><type value="batch"/><entry><fullUrl value="urn:x"/><resource><Patient>'
        '<active value="true"/></Patient></resource><request><method value="POST"/></request></entry></Bundle>',
        {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [
                {
                    "fullUrl": "urn:x",
                    "resource": {"resourceType": "Patient", "active": True},
                    "request": {"method": "POST"},
                }
            ],
        },
    ),
    "the elements of a backbone element that is defined elsewhere": (
        f'<Questionnaire {NS}><item><linkId value="1"/><item><linkId value="2"/><required value="true"/></item>'
        "</item></Questionnaire>",
        {
            "resourceType": "Questionnaire",
            "item": [{"linkId": "1", "item": [{"linkId": "2", "required": True}]}],
        },
    ),
    "a narrative": (
        f'<Patient {NS}><text><status value="generated"/>{DIV}<p class=\'x\'>a &lt; b<br /></p></div></text>'
        "</Patient>",
        {
            "resourceType": "Patient",
            "text": {"status": "generated", "div": f"{DIV}<p class='x'>a &lt; b<br /></p></div>"},
        },
    ),
    "white space in an attribute": (
        f'<Patient {NS}><name><text value="a&#9;b&#10;c&#13;d &quot;&lt;&gt;&amp;\'"/></name></Patient>',
        {"resourceType": "Patient", "name": [{"text": "a\tb\nc\rd \"<>&'"}]},
    ),
    "characters past the basic plane": (
        f'<Patient {NS}><name><text value="𝒳\u202eé"/></name></Patient>',
        {"resourceType": "Patient", "name": [{"text": "𝒳\u202eé"}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_both_ways(pair: tuple[str, dict[str, Any]]) -> None:
    text, resource = pair
    assert json.write(xml.read(text.encode())) == json.write(resource)
    assert xml.read(xml.write(resource)) == resource
    assert xml.read(xml.write(resource, pretty=True)) == resource
    assert json.write(json.read(json.write(xml.read(text.encode())))) == json.write(resource)


def test_elements_are_written_in_their_official_order() -> None:
    shuffled = {"name": [{"given": ["A"], "family": "F", "id": "n"}], "id": "x", "resourceType": "Patient"}
    assert xml.write(shuffled).decode() == (
        f'<?xml version="1.0" encoding="UTF-8"?><Patient {NS}><id value="x"/><name id="n"><family value="F"/>'
        '<given value="A"/></name></Patient>'
    )


def test_pretty_puts_each_element_on_its_line() -> None:
    written = xml.write({"resourceType": "Patient", "name": [{"family": "F"}]}, pretty=True).decode()
    assert written.splitlines()[1:] == [
        f"<Patient {NS}>", "  <name>", '    <family value="F"/>', "  </name>", "</Patient>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        ("", f'{DIV}a<!-- b --><img src="#c"/></div>'),
        (' xmlns:h="http://www.w3.org/1999/xhtml"', '<h:div>a<h:img src="#c"/></h:div>'),
        ("", '<x:div xmlns:x="http://www.w3.org/1999/xhtml">a<x:img src="#c"></x:img></x:div>'),
        ("", '<div xmlns="http://www.w3.org/1999/xhtml" >a<b xmlns="http://www.w3.org/1999/xhtml"/></div >'),
        ("", '<div xmlns="http://www.w3.org/1999/xhtml" title=">" />'),
        ("", f"{DIV}<div/><div></div></div>"),
    ],
)
def test_a_narrative_stands_alone_whatever_prefix_it_came_with(before: str, inside: str) -> None:
    body = f'<Patient {NS}{before}><text><status value="generated"/>{inside}</text></Patient>'
    div = xml.read(body.encode())["text"]["div"]
    assert div == inside if inside.startswith("<div") else div == f'{DIV}a<img src="#c"/></div>'
    again = xml.write({"resourceType": "Patient", "text": {"div": div}})
    assert xml.read(again)["text"]["div"] == div


def test_prefixes_comments_instructions_and_schema_locations_change_nothing() -> None:
    body = (
        '<?xml version="1.0" encoding="utf-8"?><?xml-stylesheet href="a.xsl"?><!-- a -->'
        '<f:Patient xmlns:f="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://hl7.org/fhir ../patient.xsd"><!-- b --><?c d?>\n'
        '<f:active value="true"/></f:Patient>'
    )
    assert xml.read(body.encode()) == {"resourceType": "Patient", "active": True}
    assert xml.read(b"\xef\xbb\xbf" + body.encode()) == {"resourceType": "Patient", "active": True}


def test_what_xml_cannot_say_is_marked() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "a\x00b\x1b\ufffe"}]}
    assert xml.read(xml.write(outcome))["issue"] == [{"diagnostics": "a\ufffdb\ufffd\ufffd"}]


def test_an_unknown_property_is_never_left_out_in_writing() -> None:
    with pytest.raises(KeyError):
        xml.write({"resourceType": "Patient", "nmae": "x"})


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda c: c >= " " or c in "\t\n\r"
)
texts = st.text(characters, min_size=1)
decimals = st.from_regex(r"\A-?(?:0|[1-9][0-9]{0,16})\.[0-9]{1,20}(?:[eE]-[0-9]{1,2})?\Z").map(Decimal)
beside = st.none() | st.fixed_dictionaries({"id": st.text("ab", min_size=1)})


@given(texts)
def test_any_string_comes_back(text: str) -> None:
    resource = {"resourceType": "Patient", "name": [{"text": text, "id": text, "given": [text]}]}
    assert xml.read(xml.write(resource)) == resource


@given(decimals | st.integers(-(2**63), 2**63 - 1))
def test_any_number_comes_back_with_its_digits(number: int | Decimal) -> None:
    resource = {"resourceType": "Observation", "valueQuantity": {"value": number}}
    again = json.read(json.write(resource))  # -0 is 0 in JSON, too
    assert json.write(xml.read(xml.write(resource))) == json.write(again)


@given(st.lists(st.tuples(st.none() | texts, beside).filter(lambda pair: pair != (None, None)), min_size=1))
def test_lists_stay_aligned(pairs: list[tuple[str | None, dict[str, str] | None]]) -> None:
    values, others = [value for value, _ in pairs], [other for _, other in pairs]
    name = ({"given": values} if any(values) else {}) | ({"_given": others} if any(others) else {})
    resource = {"resourceType": "Patient", "name": [name]}
    assert xml.read(xml.write(resource)) == resource
