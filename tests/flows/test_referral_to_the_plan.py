"""A clinic refers a member to the plan; the hub takes it there once, through what goes wrong on the way, and brings
the decision back to whoever asked. What the plan asked for, and care plans, are written back to it, each once."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hub.access import Access
from hub.fhir.bundles import Entry
from hub.fhir.systems import CIN_SYSTEM
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.flows.county_partners import eventually, organization, partner, post, session
from tests.flows.hub_process import HubProcess
from tests.reference_plan.process import reference_plan

MEMBER = {"resourceType": "Patient", "id": "robin", "identifier": [{"system": CIN_SYSTEM, "value": "91234567A"}],
          "name": [{"family": "Testperson-Alder", "given": ["Robin"]}]}  # fmt: skip
COVERAGE = {
    "resourceType": "Coverage",
    "id": "medi-cal",
    "status": "active",
    "beneficiary": {"reference": "Patient/robin"},
    "payor": [{"reference": "Organization/plan"}],
}
PANEL = {
    "resourceType": "Group",
    "id": "panel",
    "type": "person",
    "actual": True,
    "managingEntity": {"reference": "Organization/clinic"},
    "member": [{"entity": {"reference": "Patient/robin"}}],
}
OF_THE_PLAN = {**PANEL, "id": "of-the-plan", "managingEntity": {"reference": "Organization/plan"}}
REQUEST = {
    "resourceType": "ServiceRequest",
    "status": "active",
    "intent": "order",
    "code": {"text": "Invented service"},
    "subject": {"reference": "Patient/robin"},
}
TASK = {
    "resourceType": "Task",
    "status": "requested",
    "intent": "order",
    "for": {"reference": "Patient/robin"},
    "owner": {"reference": "Organization/plan"},
    "requester": {"reference": "Organization/clinic"},
}

OUTREACH = {  # the plan asks the clinic
    **TASK,
    "id": "outreach",
    "requester": {"reference": "Organization/plan"},
    "owner": {"reference": "Organization/clinic"},
}
CARE_PLAN = {
    "resourceType": "CarePlan",
    "status": "active",
    "intent": "plan",
    "title": "Invented plan",
    "subject": {"reference": "Patient/robin"},
}


def brought(database_url: str, *resources: dict[str, Any]) -> None:
    """As the plan's own files bring it, before the hub starts."""
    database = Database(database_url)
    own = Transactions(database, lambda *_: (), lambda changes: (), "http://hub.invalid/fhir")
    entries = [Entry("PUT", one["resourceType"], id=one["id"], resource=one) for one in resources]
    own.commit(entries, Access.system("a story"), many=True)
    database.close()


def test_a_referral_gets_to_the_plan_once_and_its_decision_comes_back(database_url: str, tmp_path: Path) -> None:
    with reference_plan(tmp_path) as plan, ExitStack() as stack:
        hub = HubProcess(tmp_path, database_url, **plan.settings(HUB_PLAN_API_POLL_MINUTES="0.05"))
        hub.command("migrate")
        brought(database_url, organization("plan"), organization("clinic"), MEMBER, COVERAGE, PANEL)
        stack.callback(hub.stop)
        hub.start()
        plan.decide("PLAN-1", status="rejected", statusReason={"text": "Not a benefit"})
        partner(hub, "plan", "plan")
        clinic = session(hub, partner(hub, "clinic", "ecm-provider"))
        plan.fault("/referrals", "cut-after")
        plan.fault("/token", "500")
        focus = {"reference": f"ServiceRequest/{post(clinic, hub, REQUEST)}"}
        asking = post(clinic, hub, {**TASK, "focus": focus})

        def task() -> dict[str, Any]:
            found: dict[str, Any] = clinic.get(f"{hub.fhir}/Task/{asking}", timeout=20).json()
            return found

        eventually(lambda: bool(task().get("identifier")), "the plan has it")
        eventually(lambda: task()["status"] == "rejected", "the plan has decided", 110)
        assert task()["statusReason"] == {"text": "Not a benefit"}
        assert len(plan.state["referrals"]) == 1


def test_status_and_care_plan_are_written_back_once_each(database_url: str, tmp_path: Path) -> None:
    with reference_plan(tmp_path) as plan, ExitStack() as stack:
        hub = HubProcess(tmp_path, database_url, **plan.settings(HUB_PLAN_API_CARE_PLANS="yes"))
        hub.command("migrate")
        brought(database_url, organization("plan"), organization("clinic"), MEMBER, COVERAGE, PANEL, OF_THE_PLAN)
        brought(database_url, OUTREACH)
        stack.callback(hub.stop)
        hub.start()
        partner(
            hub, "plan", "ecm-provider"
        )  # a plan with care managers of its own; one of the role plan reads none
        clinic = session(hub, partner(hub, "clinic", "ecm-provider"))

        def written(kind: str) -> list[dict[str, Any]]:
            found = [write["resource"] for write in plan.state["writes"]]
            return [one for one in found if one["resourceType"] == kind]

        plan.fault("/tasks/outreach", "503")
        plan.fault("/tasks/outreach", "cut-after")
        step = [{"op": "replace", "path": "/status", "value": "accepted"}]
        kind = {"Content-Type": "application/json-patch+json"}
        clinic.patch(f"{hub.fhir}/Task/outreach", json=step, headers=kind, timeout=20).raise_for_status()
        eventually(
            lambda: plan.state["requests"].count("PUT /tasks/outreach") == 3, "it is sent until it is answered"
        )
        assert [one["status"] for one in written("Task")] == ["accepted"]

        plan.fault("*", "half")
        made = post(clinic, hub, CARE_PLAN)
        eventually(lambda: plan.state["requests"].count(f"PUT /care-plans/{made}") == 2, "the care plan, too")
        (told,) = written("CarePlan")
        assert (told["title"], told["subject"]["identifier"]["value"]) == ("Invented plan", "91234567A")
