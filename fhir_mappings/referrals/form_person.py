"""What a form says of the person -> who that is, as a source person of its own.

Rules: docs/identity.md; docs/referrals.md "No wrong door". Anybody may have written it: it changes nothing on a
member's Patient (`shared` false, no owner), and a CIN counts only beside a name or a birth date that agrees.
"""

from typing import Any

from hub.feeds.records import Kept, Said, Subject
from hub.fhir.systems import CIN_SYSTEM, V2_0203

KIND = "form"
MEDICAID = "MA"  # table 0203


def form_person(subject: Subject) -> Said | None:
    """None where it was taken back."""
    row = form_of(subject)
    if row is None:
        return None
    said, cin_system = row.values, str(subject.feed.options.get("cin_system") or CIN_SYSTEM)
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "name": [{"family": said["family"], "given": [said["given"]]}],
        "birthDate": said["born"],
    }
    if said.get("phone"):
        patient["telecom"] = [{"system": "phone", "value": said["phone"]}]
    strong = {}
    if said.get("cin"):
        coded = {"coding": [{"system": V2_0203, "code": MEDICAID}]}
        patient["identifier"] = [{"type": coded, "system": cin_system, "value": said["cin"]}]
        strong = {cin_system: "cin"}
    return Said(row.key, patient, strong, shared=False)


def form_of(subject: Subject) -> Kept | None:
    """The one row of the subject."""
    return next(subject.of(KIND), None)
