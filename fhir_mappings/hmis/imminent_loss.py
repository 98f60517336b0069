"""A row of hmis-attestation -> Observation: somebody attested that a member will lose housing within 30 days.

Rules: docs/hmis.md "Attestations": DHCS counts whoever will lose their residence within 30 days, and HMIS cannot
say that: it knows 14. The rule ATTESTED-30 holds where the loss is expected from the day of the attestation to
30 days after it; later, the observation says not-shown. Who attests is kept as text.
A row that was taken back becomes entered-in-error.
Refuses nothing: adapters.hmis.attestations checked the dates.
"""

from datetime import date
from typing import Final

from fhir_mappings.hmis.observations import ERROR, FINAL, component, observation
from fhir_mappings.hmis.systems import RULES, VERDICTS, own_code
from hub.feeds.records import Resource, Subject

KIND = "Attestation"
NOUN = "imminent-loss"
DAYS: Final = 30
CODE = own_code(NOUN, "Attested imminent loss of housing")
RULE = {"system": RULES, "code": "ATTESTED-30", "display": "somebody attested a loss of housing within 30 days"}
AT_RISK = {"system": VERDICTS, "code": "at-risk-30", "display": "At risk of losing housing within 30 days"}
NOT_SHOWN = {"system": VERDICTS, "code": "not-shown", "display": "No evidence of homelessness"}


def about(subject: Subject) -> str | None:
    """The person, as the feed's system calls them."""
    values = subject.rows[0].values
    found = values.get("PersonalID") or values.get("CIN")
    return str(found) if found else None


def observations(subject: Subject, patient: str) -> list[Resource]:
    made = []
    for row in subject.rows:
        attested, expected = row.values["AttestedDate"], row.values["ExpectedLossDate"]
        is_soon = within(attested, expected)
        coding = AT_RISK if is_soon else NOT_SHOWN
        value = {
            "valueCodeableConcept": {"coding": [coding], "text": coding["display"]},
            "component": [component(RULE, {"valueDateTime": expected})],
            "note": [{"text": f"Attested by {row.values['AttestedBy']}"}],
        }
        status = ERROR if row.deleted else FINAL
        made.append(
            observation(
                subject.feed, NOUN, row.key, patient, code=(CODE,), effective=attested, value=value, labels=(),
                status=status,
            )
        )  # fmt: skip
    return made


def within(attested: str, expected: str) -> bool:
    """Whether the loss is expected within 30 days of the attestation."""
    return 0 <= (date.fromisoformat(expected) - date.fromisoformat(attested)).days <= DAYS
