"""What the stories send: a member with a care plan and a care team, a panel, a Subscription, hospital messages."""

from typing import Any

from hub.fhir.systems import CAREPLAN_CATEGORY, CIN_SYSTEM, LEAD_CARE_MANAGER, OWN, V2_0203

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
ADMISSION = f"{OWN}SubscriptionTopic/encounter-admission"
DISCHARGE = f"{OWN}SubscriptionTopic/encounter-discharge"
CIN = "91234567A"
FACILITIES = (
    "facility,name,mrn_system,visit_system,time_zone,npi\n"
    "NOWHERE,Nowhere General,https://nowhere.example/mrn,https://nowhere.example/visit,America/Los_Angeles,\n"
)


def put(kind: str, identity: str, **elements: Any) -> dict[str, Any]:
    return {
        "resource": {"resourceType": kind, "id": identity, **elements},
        "request": {"method": "PUT", "url": f"{kind}/{identity}"},
    }


def member_and_care_plan() -> dict[str, Any]:
    """A transaction: the member by urn:uuid, with lead care manager, care team, care plan and panel."""
    member = "urn:uuid:6a0f2f0c-53d8-4c8c-8c8e-0d7f2d3f7a01"
    lead = {"coding": [{"system": LEAD_CARE_MANAGER[0], "code": LEAD_CARE_MANAGER[1]}]}
    patient = {
        "resourceType": "Patient",
        "identifier": [
            {
                "type": {"coding": [{"system": V2_0203, "code": "MA"}]},
                "system": CIN_SYSTEM,
                "value": CIN,
            }
        ],
        "name": [{"family": "Testperson-Alder", "given": ["Fixture"]}],
        "gender": "female",
        "birthDate": "1980-02-03",
    }
    care_plan = {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "category": [{"coding": [{"system": CAREPLAN_CATEGORY, "code": "assess-plan"}]}],
        "subject": {"reference": member},
        "careTeam": [{"reference": "CareTeam/team-1"}],
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Find a home</div>'},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            put("Practitioner", "lead-1", name=[{"family": "Samplewood", "given": ["Coordina"]}]),
            {"fullUrl": member, "resource": patient, "request": {"method": "POST", "url": "Patient"}},
            put(
                "CareTeam",
                "team-1",
                status="active",
                subject={"reference": member},
                participant=[{"role": [lead], "member": {"reference": "Practitioner/lead-1"}}],
            ),
            {"resource": care_plan, "request": {"method": "POST", "url": "CarePlan"}},
            put("Group", "panel-1", type="person", actual=True, member=[{"entity": {"reference": member}}]),
        ],
    }


def subscription(topic: str, endpoint: str, narrowed: str = "panel=Group/panel-1") -> dict[str, Any]:
    """A Backport Subscription on admissions or discharges, full resources; of a panel, where not said otherwise."""
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "The lead care manager meets the member at the door",
        "criteria": topic,
        "_criteria": {
            "extension": [{"url": f"{BACKPORT}backport-filter-criteria", "valueString": f"Encounter?{narrowed}"}]
        },
        "channel": {
            "type": "rest-hook",
            "endpoint": endpoint,
            "payload": "application/fhir+json",
            "_payload": {
                "extension": [{"url": f"{BACKPORT}backport-payload-content", "valueCode": "full-resource"}]
            },
        },
    }


def adt(event: str, control_id: str, *, visit: str = "V1", cin: str = CIN, at: str = "20261101083000") -> str:
    """An ADT message of Nowhere General about the member (or another CIN)."""
    left = "01||||||||20261101083000|20261104100000" if event == "A03" else "||||||||20261101083000"
    segments = (
        f"MSH|^~\\&|ADTAPP|NOWHERE|HUB|COUNTY|{at}||ADT^{event}^ADT_A01|{control_id}|P|2.5.1",
        f"EVN|{event}|{at}",
        f"PID|1||M{cin}^^^NOWHERE^MR~{cin}^^^MEDI-CAL^MA||Testperson-Alder^Fixture||19800203|F",
        "NK1|1|Testperson-Birch^Sibling|SIB|1 Nowhere Street^^Exampleton^CA^00000|5550100",
        f"PV1|1|I|4 EAST^401^A^NOWHERE||||||||||||||||{visit}|||||||||||||||||{left}",
        f"IN1|1|MCAL|EHP|Example Health Plan||||||||20260101||||Testperson-Alder^Fixture|SEL{'|' * 19}{cin}",
    )
    return "".join(f"{segment}\r" for segment in segments)
