"""The hub between who refers and who delivers: from a referral as it stands, what has to be written next. Pure.

Rules: Gravity SDOH Clinical Care, indirect referrals: a coordination platform makes a ServiceRequest of intent
`filler-order` that is based on the first, and a Task that is part of the first, and carries the status of the
second back. CalAIM ECM Policy Guide, section IX: the plan authorizes, then a provider is assigned; where plan and
provider agreed on it, the provider begins before the plan has decided (presumptive authorization).
What stands decides, not what happened: asked again it asks for nothing more (hub.referrals.work).
Refuses: to choose. The provider is the one that the request names, or that a person assigned (Task.input); the
plan is the one payor of the member's coverage that is configured as a plan. To ask whom only itself named: nobody
gives itself a relation (docs/access.md), nor by the hub's hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.fhir.systems import TASK_CODE
from hub.referrals import steps
from hub.referrals.carrying import carried, filled, reason_of
from hub.referrals.case import Case, Known
from hub.referrals.configuration import NONE, REQUIRED, Rules
from hub.referrals.steps import with_step
from hub.referrals.terms import (
    APPROVE,
    FULFILL,
    OVER,
    Resource,
    assigned,
    authorization_number,
    concept,
    local,
    own_id,
    reason,
    target,
)
from hub.search.edges import address

ENDED = frozenset(("rejected", "failed", "cancelled", "entered-in-error"))
PROVIDERS = ("Organization", "PractitionerRole", "Practitioner")
# of the first request, what the provider has to know
COPIED = (
    "extension", "category", "priority", "doNotPerform", "code", "orderDetail", "quantityQuantity", "quantityRatio",
    "quantityRange", "subject", "occurrenceDateTime", "occurrencePeriod", "occurrenceTiming", "reasonCode",
    "reasonReference", "insurance", "supportingInfo", "note", "patientInstruction",
)  # fmt: skip
TAKEN_BACK = "The referral was taken back"
CHANGED = "Another provider was assigned"


@dataclass(frozen=True, slots=True)
class Write:
    """A resource to be written: a new one, or the next version of one that stands."""

    resource: Resource
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Coordination:
    """`base` is the hub's FHIR base, `at` the time of what is written."""

    case: Case
    rules: Rules
    base: str
    at: str

    def writes(self) -> Iterator[Write]:
        """All that has to be written now."""
        if not self._is_ours():
            return
        if self.case.is_over:
            yield from self._closing(reason(self.case.task.resource) or TAKEN_BACK)
            return
        if self.case.request is None:
            yield from self._at(steps.AWAITING_REQUEST)
        elif _status(self.case.approval) in ENDED:
            yield from self._denied()
        elif not self._is_held():
            yield from self._asking()

    def _is_ours(self) -> bool:
        ours, task = self.rules.organization, self.case.task.resource
        is_sent = task.get("status") != "draft"
        return bool(ours) and local(task.get("owner"), self.base, "Organization") == ours and is_sent

    def _is_held(self) -> bool:
        """Who referred stopped it, and lets it go on; what the provider has ended is ended all the same."""
        task, is_done = self.case.task.resource, _status(self.case.delivery) in ("completed", "failed")
        return task["status"] == "on-hold" and steps.step_of(task) != steps.PROVIDER_WAITS and not is_done

    # the plan

    def plan(self) -> str:
        """The plan that authorizes; empty where none or several could."""
        if self.case.approval:
            return local(self.case.approval.resource.get("owner"), self.base, "Organization")
        names = [one for one in self.case.plans if one in self.rules.plan_names]
        return names[0] if len(names) == 1 else ""

    def _asking(self) -> Iterator[Write]:
        provider, plan = self.provider(), self.plan()
        wants = self.rules.authorization_of(plan, self.case.service, provider)
        if wants != NONE and not plan:
            yield from self._at(steps.AWAITING_PLAN)
            return
        if wants != NONE and self.case.approval is None:
            yield Write(self._approval(plan))
        is_authorized = _status(self.case.approval) in ("accepted", "in-progress", "completed")
        if wants == REQUIRED and not is_authorized and not self.case.deliveries:
            yield from self._at(steps.AWAITING_AUTHORIZATION)
            return
        yield from self._delivering(provider)

    def _denied(self) -> Iterator[Write]:
        assert self.case.approval is not None
        said = reason_of(self.case.approval, self.case.request) or {"text": "The plan did not authorize it"}
        to = "rejected" if self.case.task.status in ("requested", "on-hold") else "cancelled"
        task = with_step({**self.case.task.resource, "status": to, "statusReason": said}, steps.DENIED, ())
        yield Write(task, self.case.task.version)
        yield from self._closing(reason({"statusReason": said}) or TAKEN_BACK)

    # the provider

    def provider(self) -> str:
        """Whom a person assigned last, or whom the request names alone; empty where that is nobody new."""
        tried = [local(one.resource.get("owner"), self.base, *PROVIDERS) for one in self.case.deliveries]
        chosen = [local(one, self.base, *PROVIDERS) for one in assigned(self.case.task.resource)]
        if chosen and chosen[-1] not in ("", *tried):
            return chosen[-1]
        if self.case.delivery and self.case.delivery.status not in ENDED:
            return tried[-1]
        named = self._performers()
        return next(iter(named - set(tried)), "") if len(named) == 1 and not self._is_unconfirmed() else ""

    def _performers(self) -> set[str]:
        """Whom the request names; hub and plan deliver nothing."""
        named = {local(one, self.base, *PROVIDERS) for one in self._request().get("performer", ())}
        return named - {"", self.rules.organization, *self.rules.plan_names}

    def _is_unconfirmed(self) -> bool:
        """Somebody is named who may have named itself."""
        return any(address(*one.split("/")) not in self.case.named for one in self._performers())

    def _delivering(self, provider: str) -> Iterator[Write]:
        now = self.case.delivery
        is_open = now is not None and now.status not in ENDED
        owner = local(now.resource.get("owner"), self.base, *PROVIDERS) if now else ""
        if provider and provider != owner:
            if now and is_open and now.status not in OVER:
                yield from self._ended(now, CHANGED)
            yield from self._asked(provider)
            yield from self._at(steps.AWAITING_ACCEPTANCE)
        elif now is not None and (is_open or now.status == "failed"):
            yield from self._carried(now)
        elif now is not None:
            yield from self._filler_over(now)
            yield from self._at(steps.PROVIDER_DECLINED if now.status == "rejected" else steps.AWAITING_PROVIDER)
        else:
            yield from self._at(steps.PROVIDER_UNCONFIRMED if self._is_unconfirmed() else steps.AWAITING_PROVIDER)

    def _carried(self, child: Known) -> Iterator[Write]:
        """The child's status is the referral's."""
        yield from self._changed(carried(self.case.task.resource, child, self.case.request))
        if child.status in OVER:
            yield from self._filler_over(child)
        else:
            yield from self._numbered(child)

    def _numbered(self, child: Known) -> Iterator[Write]:
        """It began before the plan had decided: the authorization's number follows."""
        numbered = {**child.resource, **self._authorized()}
        if child.status not in ENDED and numbered != child.resource:
            yield Write(numbered, child.version)

    # what is written

    def _at(self, step: str) -> Iterator[Write]:
        """The referral waits at this step; where it was with a provider that has it no more, it is `requested`."""
        task = self.case.task.resource
        if task["status"] == "requested":
            yield from self._changed(with_step(task, step))
        else:
            again = {**task, "status": "requested", "statusReason": {}}
            yield from self._changed(with_step(filled(again), step, ()))

    def _changed(self, task: Resource) -> Iterator[Write]:
        if task != self.case.task.resource:
            yield Write(task, self.case.task.version)

    def _closing(self, why: str) -> Iterator[Write]:
        """Whoever was asked is asked no more. What was delivered before the plan has decided it decides all the
        same: it pays."""
        approval, is_delivered = self.case.approval, self.case.task.status == "completed"
        if approval and approval.status in ("requested", "on-hold") and not is_delivered:
            yield from self._ended(approval, why)
        for one in self.case.deliveries:
            if one.status not in OVER:
                yield from self._ended(one, why)
            else:
                yield from self._filler_over(one)
                yield from self._numbered(one)

    def _ended(self, child: Known, why: str) -> Iterator[Write]:
        over = {**child.resource, "status": "cancelled", "statusReason": {"text": why}}
        yield Write(over, child.version)
        yield from self._filler_over(child, "revoked")

    def _filler_over(self, child: Known, status: str = "") -> Iterator[Write]:
        """The provider's own request ends with its Task: it opens the member's record as long as it is active."""
        identity = target(child.resource.get("focus")).rpartition("/")[2]
        filler = self.case.fillers.get(identity)
        to = status or ("completed" if child.status == "completed" else "revoked")
        if filler and filler.status == "active":
            yield Write({**filler.resource, "status": to}, filler.version)

    def _request(self) -> Resource:
        return self.case.request.resource if self.case.request else {}

    def _approval(self, plan: str) -> Resource:
        made = self._child(own_id(self.case.task.id, "approval"), plan, APPROVE)
        return {**made, "focus": {"reference": f"ServiceRequest/{self._request()['id']}"}}

    def _asked(self, provider: str) -> Iterator[Write]:
        number = str(len(self.case.deliveries) + 1)
        identity = own_id(self.case.task.id, "request", number)
        request = self._request()
        copied = {name: request[name] for name in COPIED if name in request}
        filler: Resource = {
            "resourceType": "ServiceRequest",
            "id": identity,
            **_profiles(request),
            **copied,
            **self._authorized(),
            "basedOn": [{"reference": f"ServiceRequest/{request['id']}"}],
            "status": "active",
            "intent": "filler-order",
            "authoredOn": self.at,
            "requester": {"reference": self.rules.organization},
            "performer": [{"reference": provider}],
        }
        yield Write(filler)
        task = self._child(own_id(self.case.task.id, "delivery", number), provider, FULFILL)
        yield Write({**task, **self._authorized(), "focus": {"reference": f"ServiceRequest/{identity}"}})

    def _authorized(self) -> Resource:
        """The number that the plan gave: by it a return file knows which authorization it speaks of."""
        number = authorization_number(self.case.approval.resource if self.case.approval else None)
        system = self.rules.system_of(self.plan())
        return {"identifier": [{"system": system, "value": number}]} if number and system else {}

    def _child(self, identity: str, owner: str, code: str) -> Resource:
        task = self.case.task.resource
        copied: dict[str, Any] = {"priority": self.case.priority, "for": task.get("for", {})}
        return {
            "resourceType": "Task",
            "id": identity,
            **_profiles(task),
            **filled(copied),
            "partOf": [{"reference": f"Task/{self.case.task.id}"}],
            "status": "requested",
            "intent": "order",
            "code": concept(TASK_CODE, code),
            "authoredOn": self.at,
            "requester": {"reference": self.rules.organization},
            "owner": {"reference": owner},
        }


def _status(known: Known | None) -> str:
    return known.status if known else ""


def _profiles(resource: Resource) -> Resource:
    """What the first one claims to be, the second is, too."""
    named = resource.get("meta", {}).get("profile")
    return {"meta": {"profile": named}} if named else {}
