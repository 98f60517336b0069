"""A completed tool of a county -> QuestionnaireResponse, and DocumentReference for its PDF.

Rules: https://hl7.org/fhir/R4/questionnaireresponse.html, US Core 6.1.0 QuestionnaireResponse and
DocumentReference; docs/county-bh.md "Tools". Answers are kept under the linkIds that the deployment gave; scores
and results are what the county says, never computed. Labels as of a status record: mental health, and Part 2
unless the row says N.
"""

from collections.abc import Iterator
from typing import Any

from fhir_mappings.county_bh.elements import Element, concept, filled, own_identifier, to
from fhir_mappings.county_bh.labels import of_program, security
from fhir_mappings.county_bh.tools import QUESTIONNAIRE, TOOLS, questionnaire, url_of
from hub.feeds.records import Feed, Kept, Resource, Subject
from hub.fhir.systems import OWN, US_CORE

KIND = "tool"
TOOL = OWN + "CodeSystem/county-behavioral-health-tool"
NOTE_CATEGORY = concept(
    "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", "Clinical Note"
)


def tool_about(subject: Subject) -> str | None:
    """The client number; None for a questionnaire, which is about nobody."""
    return next((str(row.values["county_client_number"]) for row in subject.rows if row.kind == KIND), None)


def tool_resources(subject: Subject, patient: str) -> list[Resource]:
    return [one for row in subject.rows for one in _of(row, subject.feed, patient)]


def _of(row: Kept, feed: Feed, patient: str) -> Iterator[Element]:
    if row.kind == QUESTIONNAIRE:
        yield questionnaire(feed, str(row.values["tool"]), row.values)
        return
    if row.values.get("pdf"):
        yield _document(row, feed, patient)
    yield _response(row, feed, patient)


def _response(row: Kept, feed: Feed, patient: str) -> Element:
    values = row.values
    return filled(
        {
            "resourceType": "QuestionnaireResponse",
            "meta": _meta(row, feed),
            "identifier": _identifier(row, feed, "tool"),
            "questionnaire": url_of(values["tool"]),
            "status": "entered-in-error" if row.deleted else "completed",
            "subject": {"reference": patient},
            "authored": values["completed_on"],
            "item": [_item(link, answer) for link, answer in values.get("answers", {}).items()],
        }
    )


def _item(link: str, answer: Any) -> Element:
    several = answer if isinstance(answer, list) else [answer]
    return {"linkId": link, "answer": [_value(one) for one in several]}


def _value(answer: Any) -> Element:
    if isinstance(answer, bool):
        return {"valueBoolean": answer}
    if isinstance(answer, int):
        return {"valueInteger": answer}
    return {"valueString": str(answer)}


def _document(row: Kept, feed: Feed, patient: str) -> Element:
    values = row.values
    tool = values["tool"]
    return filled(
        {
            "resourceType": "DocumentReference",
            "meta": {"profile": [f"{US_CORE}us-core-documentreference"], **_meta(row, feed)},
            "identifier": [_identifier(row, feed, "tool-document")],
            "status": "entered-in-error" if row.deleted else "current",
            "type": concept(TOOL, tool, TOOLS[tool]),
            "category": [NOTE_CATEGORY],
            "subject": {"reference": patient},
            "date": f"{values['completed_on']}T00:00:00Z",
            "content": [{"attachment": {"contentType": "application/pdf", "data": values["pdf"]}}],
            "context": {"related": [to("QuestionnaireResponse", _identifier(row, feed, "tool"))]},
        }
    )


def _identifier(row: Kept, feed: Feed, noun: str) -> Element:
    return own_identifier(feed, noun, str(row.values["county_client_number"]), str(row.values["tool_id"]))


def _meta(row: Kept, feed: Feed) -> Element:
    return {"security": security(of_program(feed, "SMHS", str(row.values.get("part2_program") or "")))}
