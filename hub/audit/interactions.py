"""What the audit calls each interaction: its action, its words, its BALP profile.

Rules: https://hl7.org/fhir/R4/valueset-audit-event-action.html, http://hl7.org/fhir/restful-interaction,
https://profiles.ihe.net/ITI/BALP/content.html. A history of one resource is a read of its versions; other
histories, compartments and operations that only read are queries. BALP has a profile for what succeeded only.
What happens at /auth and to who may do what is told as DICOM's security events
(https://hl7.org/fhir/R4/valueset-audit-event-sub-type.html), a token that is given as BALP's IHE.IUA.71; the hub's
own codes stand in where nobody has one."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.fhir.systems import AUDIT_EVENT

PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit"
DISCLOSURE = f"{PROFILES}.PrivacyDisclosure.Source"
TOKEN_GIVEN = PROFILES.replace("IHE.BasicAudit", "IHE.IUA.71")
READ, QUERY = "Read", "Query"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
IHE_EVENT = "urn:ihe:event-type-code"
REST, USER_AUTHENTICATION, SECURITY_ALERT = "rest", "110114", "110113"  # types; the last two are DICOM's


@dataclass(frozen=True, slots=True)
class Kind:
    """`subtypes` are codes (their systems: `system_of`); `profile` is the last word of BALP's, or all of it, none
    where it has none; `type` is what kind of event it is."""

    action: str
    subtypes: tuple[str, ...]
    profile: str = ""
    type: str = REST

    @property
    def is_security(self) -> bool:
        return self.type != REST

    def canonical(self, patient: bool) -> str:
        """With `patient`, the variant that names one."""
        if self.profile.startswith("https:"):
            return self.profile
        return f"{PROFILES}.{'Patient' if patient else ''}{self.profile}" if self.profile else ""


KINDS: Mapping[str, Kind] = {
    "read": Kind("R", ("read",), READ),
    "vread": Kind("R", ("vread",), READ),
    "history-instance": Kind("R", ("read", "history-instance"), READ),
    "history-type": Kind("E", ("search", "history-type"), QUERY),
    "history-system": Kind("E", ("search", "history-system"), QUERY),
    "search-type": Kind("E", ("search-type",), QUERY),
    "search-system": Kind("E", ("search-system",), QUERY),
    "search-compartment": Kind("E", ("search",), QUERY),
    "operation": Kind("E", ("search", "operation"), QUERY),
    "create": Kind("C", ("create",), "Create"),
    "update": Kind("U", ("update",), "Update"),
    "patch": Kind("U", ("patch",), "Update"),
    "delete": Kind("D", ("delete",), "Delete"),
    "transaction": Kind("E", ("transaction",)),
    # a webhook: the hub sends
    "notice": Kind("R", ("operation", "notice")),
    # what comes in another format; what is made of it is told as the hub's own writes
    "message": Kind("E", ("operation", "message")),
    "file": Kind("E", ("operation", "file")),
    # bulk data: files that are fetched, and jobs that are asked after
    "export": Kind("E", ("operation", "110106")),
    # who is shown for a choice of patient
    "patient-picker": Kind("E", ("search", "patient-picker"), QUERY),
    # who somebody is, and what they let in
    "sign-in": Kind("E", ("110122",), "", USER_AUTHENTICATION),
    "sign-out": Kind("E", ("110123",), "", USER_AUTHENTICATION),
    "token": Kind("E", ("ITI-71",), TOKEN_GIVEN, USER_AUTHENTICATION),
    "introspection": Kind("E", ("introspection",), "", USER_AUTHENTICATION),
    "revocation": Kind("E", ("revocation",), "", USER_AUTHENTICATION),
    "authorization": Kind("E", ("authorization",), "", USER_AUTHENTICATION),
    "launch": Kind("E", ("launch",), "", USER_AUTHENTICATION),
    # who may do what
    "registration": Kind("E", ("110129", "registration"), "", SECURITY_ALERT),
    "client-change": Kind("E", ("110129", "client-change"), "", SECURITY_ALERT),
    "key-change": Kind("E", ("110129", "key-change"), "", SECURITY_ALERT),
    "user-change": Kind("E", ("110137",), "", SECURITY_ALERT),
    # a sender that is not who it says (MLLP)
    "node-authentication": Kind("E", ("110126",), "", SECURITY_ALERT),
    # a file that was refused as an attack
    "unsafe-file": Kind("E", ("unsafe-file",), "", SECURITY_ALERT),
    "break-glass-start": Kind("E", ("110127",), "", SECURITY_ALERT),
    "break-glass-end": Kind("E", ("110138",), "", SECURITY_ALERT),
}
OWN_CODES = (
    "notice",
    "message",
    "file",
    "patient-picker",
    "introspection",
    "revocation",
    "authorization",
    "launch",
    "registration",
    "client-change",
    "key-change",
    "unsafe-file",
)


def system_of(code: str) -> str:
    """The code system of a subtype."""
    if code in OWN_CODES:
        return AUDIT_EVENT
    return DICOM if code.isdigit() else IHE_EVENT if code.startswith("ITI-") else INTERACTION


def outcome(status: int) -> str:
    """https://hl7.org/fhir/R4/valueset-audit-event-outcome.html: success, the caller's failure, the hub's own."""
    return "0" if status < 400 else "4" if status < 500 else "8"
