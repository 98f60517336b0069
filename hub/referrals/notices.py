"""Who must be told of a referral, of what, with which reason: from the referral as it stands to Communications.
Pure.

Rules: DHCS' closed-loop referrals: the member is told of the authorization, and who is assigned with a contact; who
referred is told of authorization and assignment, of a denial and of the closure with the reason, electronically.
CalAIM ECM Policy Guide, section IX: the primary care provider is told who is assigned, where that is another.
https://hl7.org/fhir/R4/communication.html: `preparation` until it has left, then `completed` with `sent`.
A plan's Notice of Action is the plan's own: this tells of it and does not stand for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hub.fhir.systems import BCP_47, CLOSURE_REASON, OWN
from hub.referrals.case import ECM, Case, Known
from hub.referrals.configuration import Rules
from hub.referrals.coordination import Write
from hub.referrals.notice_texts import ASSIGNED, AUTHORIZED, CLOSED, DENIED, MEMBER, PCP, REFERRER, Texts
from hub.referrals.terms import NOTICE, OVER, Resource, local, own_id, reason, target

CATEGORY = "http://terminology.hl7.org/CodeSystem/communication-category"
PREFERRED = OWN + "StructureDefinition/preferred-language"
PCP_TOLD = "pcp"  # the topic of what the primary care provider is told
NO_REASON = "No reason is stated"
SERVICES_RECEIVED = "Services received"
MEMBERS_OWN = ("Patient", "RelatedPerson")


class Event(NamedTuple):
    """What there is to tell. `number` tells several of a kind apart."""

    kind: str
    number: str = "1"
    provider: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class People:
    """Who is told, as they are stored: the member; by reference those that are named, for their names."""

    patient: Resource
    named: Mapping[str, Resource]

    @property
    def language(self) -> str:
        """The member's: the preferred one, else the first."""
        spoken = sorted(self.patient.get("communication", ()), key=lambda one: not one.get("preferred", False))
        codings = [one for each in spoken for one in each.get("language", {}).get("coding", ())]
        return next((str(one.get("code", "")) for one in codings if one.get("system", BCP_47) == BCP_47), "")

    def name(self, reference: str) -> str:
        found = self.named.get(reference, {})
        said = found.get("name")
        return str(said if isinstance(said, str) else "") or "the provider"

    def contact(self, reference: str) -> str:
        found = self.named.get(reference, {}).get("telecom", ())
        said = [str(one.get("value", "")) for one in found if one.get("system") in ("phone", "email", "url")]
        return ", ".join(one for one in said if one) or "the number that your plan gives you"


@dataclass(frozen=True, slots=True)
class Notices:
    """`at` is the time of what is written, `base` the hub's FHIR base."""

    case: Case
    people: People
    rules: Rules
    texts: Texts
    base: str

    def writes(self) -> Iterator[Write]:
        """The Communications that are not there yet."""
        for event in self._events():
            for reader, recipient in self._readers(event.kind):
                identity = own_id(self.case.task.id, "notice", event.kind, event.number, reader)
                if recipient and identity not in self.case.told and self.texts.has(event.kind, reader):
                    yield Write(self._communication(identity, event, reader, recipient))

    def _events(self) -> Iterator[Event]:
        task = self.case.task
        asks_plan = local(task.resource.get("owner"), self.base, "Organization") in self.rules.plan_names
        approval = task if asks_plan else self.case.approval
        if (not asks_plan and not self._is_ours()) or task.status == "entered-in-error":
            return
        if approval and approval.status in ("accepted", "in-progress", "completed"):
            yield Event(AUTHORIZED)
        for number, one in enumerate(self.case.deliveries, 1):
            yield Event(ASSIGNED, str(number), target(one.resource.get("owner")).removeprefix(f"{self.base}/"))
        if approval and approval.status in ("rejected", "failed"):
            yield Event(DENIED, why=_why(approval))
        elif task.status in OVER:
            yield Event(CLOSED, why=_why(task))

    def _is_ours(self) -> bool:
        owner = local(self.case.task.resource.get("owner"), self.base, "Organization")
        return bool(owner) and owner == self.rules.organization

    def _readers(self, kind: str) -> Iterator[tuple[str, str]]:
        task = self.case.task.resource
        referrer, patient = target(task.get("requester")), local(task.get("for"), self.base, "Patient")
        yield REFERRER, "" if referrer == patient else referrer
        yield MEMBER, patient
        if kind == ASSIGNED and self.case.service == ECM:
            yield PCP, self._pcp()

    def _pcp(self) -> str:
        """The one primary care provider, where that is not who was assigned."""
        named = [target(one) for one in self.people.patient.get("generalPractitioner", ())]
        owner = target(self.case.delivery.resource.get("owner")) if self.case.delivery else ""
        return named[0] if len(named) == 1 and named[0] != owner else ""

    def _communication(self, identity: str, event: Event, reader: str, recipient: str) -> Resource:
        words = {
            "service": self._service(),
            "provider": self.people.name(event.provider),
            "contact": self.people.contact(event.provider),
            "reason": f"{event.why.rstrip('.')}.",
        }
        wanted = self.people.language if reader == MEMBER else ""
        said = self.texts.said(event.kind, reader, wanted, words)
        kept = [{"url": PREFERRED, "valueCode": wanted}] if wanted and wanted != said.language else []
        task, request = self.case.task, self.case.request
        made: dict[str, Any] = {
            "resourceType": "Communication",
            "id": identity,
            "language": said.language,
            "extension": kept,
            "basedOn": [{"reference": f"ServiceRequest/{request.id}"}] if request else [],
            "partOf": [{"reference": f"Task/{task.id}"}],
            "status": "preparation",
            "category": [{"coding": [{"system": CATEGORY, "code": "notification"}]}],
            "subject": task.resource.get("for", {}),
            "topic": {"coding": [{"system": NOTICE, "code": PCP_TOLD if reader == PCP else event.kind}]},
            "about": [{"reference": f"Task/{task.id}"}],
            "recipient": [{"reference": recipient}],
            "sender": {"reference": self.rules.organization} if self.rules.organization else {},
            "payload": [{"contentString": said.text}],
        }
        return {name: value for name, value in made.items() if value not in ([], {})}

    def _service(self) -> str:
        code = self.case.request.resource.get("code", {}) if self.case.request else {}
        displays = [str(one["display"]) for one in code.get("coding", ()) if one.get("display")]
        return next(iter(displays), "") or str(code.get("text", "")) or "the service"


def _why(task: Known) -> str:
    """The reason in words; of what was delivered, that it was."""
    said = task.resource.get("statusReason", {})
    coded = [one.get("display") for one in said.get("coding", ()) if one.get("system") == CLOSURE_REASON]
    found = reason(task.resource) or next((str(one) for one in coded if one), "")
    return found or (SERVICES_RECEIVED if task.status == "completed" else NO_REASON)
