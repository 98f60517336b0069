"""What an app asks for, in words, each line of which a person can leave out.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/app-launch.html (the server may grant less than
was asked); 45 CFR 170.315(g)(10): a person chooses, also below a wildcard
Refuses: what was not asked for, whatever a form says.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from auth.scopes import PATIENT, Scope, Scopes

WORDS = {
    "openid": "Know that it is you",
    "fhirUser": "Know who you are here: your name and your entry in the directory",
    "profile": "Know who you are here: your name and your entry in the directory",
    "offline_access": "Keep this access when you are not there, until you take it back",
    "online_access": "Keep this access as long as you are signed in",
    "launch": "Know what is open in your record system",
    "launch/patient": "Know which patient you choose",
    "launch/encounter": "Know which visit you choose",
}
NO_CHOICE = frozenset(("launch", "launch/patient", "launch/encounter", "openid"))
LETTERS = {"c": "add", "r": "read", "u": "change", "d": "delete", "s": "search"}
NAMES = {
    "*": "Everything",
    "AllergyIntolerance": "Allergies",
    "CarePlan": "Care plans",
    "CareTeam": "Care teams",
    "Condition": "Health problems and diagnoses",
    "Consent": "Consents",
    "Coverage": "Health coverage",
    "Device": "Devices and implants",
    "DiagnosticReport": "Test reports",
    "DocumentReference": "Documents and notes",
    "Encounter": "Visits and hospital stays",
    "Goal": "Goals",
    "Immunization": "Vaccinations",
    "Location": "Places of care",
    "MedicationRequest": "Prescriptions",
    "MedicationDispense": "Dispensed medicines",
    "Observation": "Test results, vital signs and assessments",
    "Organization": "Organizations",
    "Patient": "Name, birth date, address and other personal details",
    "Practitioner": "Doctors and other staff",
    "PractitionerRole": "Where doctors and other staff work",
    "Procedure": "Procedures",
    "Provenance": "Where the data come from",
    "QuestionnaireResponse": "Answers to questionnaires",
    "RelatedPerson": "Family and other helpers",
    "ServiceRequest": "Orders and referrals",
    "Specimen": "Samples",
    "Task": "Tasks and referrals in work",
}
# what is offered one by one where everything is asked for: the classes of US Core, and what this hub is for
BELOW_EVERYTHING = tuple(name for name in NAMES if name != "*")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the screen. `value` is what its box sends; without one there is no choice. `parts` are the lines of
    the types that everything consists of."""

    value: str
    text: str
    parts: tuple["Line", ...] = ()


def lines(scopes: Scopes) -> list[Line]:
    """The screen for these scopes, each text once."""
    return list({line.text: line for line in map(_line, scopes)}.values())


def _line(scope: Scope) -> Line:
    if not scope.context:
        return Line("" if scope.resource in NO_CHOICE else scope.resource, WORDS[scope.resource])
    parts: Iterable[Line] = ()
    if scope.resource == "*":
        parts = (_line(replace(scope, resource=name)) for name in BELOW_EVERYTHING)
    return Line(str(scope), _told(scope), tuple(parts))


def _told(scope: Scope) -> str:
    name = NAMES.get(scope.resource) or _HUMP.sub(" ", scope.resource).capitalize()
    may = ", ".join(word for letter, word in LETTERS.items() if letter in scope.letters)
    whose = "of this patient" if scope.context == PATIENT else "of all whose record you may see"
    only = f", only where {' and '.join('='.join(pair) for pair in scope.conditions)}" if scope.query else ""
    return f"{name} {whose}: {may}{only}"


def chosen(scopes: Scopes, boxes: Collection[str]) -> Scopes:
    """The scopes that a person left in, never more than were asked for."""
    found: list[Scope] = []
    for scope in scopes:
        if scope.context:
            found += _left_in(scope, boxes)
        elif scope.resource in NO_CHOICE or _is_ticked(scope, boxes):
            found.append(scope)
    return tuple(found)


def _is_ticked(scope: Scope, boxes: Collection[str]) -> bool:
    """Two words with one text have one box."""
    return any(WORDS.get(box) == WORDS[scope.resource] for box in boxes)


def _left_in(scope: Scope, boxes: Collection[str]) -> list[Scope]:
    if str(scope) in boxes:
        return [scope]
    if scope.resource != "*":
        return []
    parts = (replace(scope, resource=name) for name in BELOW_EVERYTHING)
    return [part for part in parts if str(part) in boxes]


def opens_something(scopes: Scopes) -> bool:
    """Whether anything is left that is worth a token: a type of resource, or who the person is."""
    return any(scope.context or scope.resource in ("openid", "fhirUser", "profile") for scope in scopes)
