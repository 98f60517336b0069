"""POST [base]/$process-message: a hospital's notification is judged, kept in the inbox, and told what became of it.

Rules: Da Vinci Unsolicited Notifications 1.1.0 (200 and 204: processed, 202: received; the same id is the same
message); https://hl7.org/fhir/R4/messaging.html; docs/alerts.md. The token says who sends; for which facilities it
speaks, a row of HUB_HL7V2_CLIENTS says, as for POST /hl7v2.
- The facility is the one of the client's whose system the visit number has; where several share one system, the one
  with the NPI of Encounter.serviceProvider.
- What is kept is the message as canonical JSON: in another order, or as XML, it is the same message.
- The answer leaves after the commit of the inbox. Who waits (no `async`) is told what the worker made of it within
  SECONDS: processed (200), refused or unreadable (422); all else, such as a code without a row, is in the hub's
  custody (202): people mend it here, the sender does not send again.
Refuses: what is no valid resource, what fhir_mappings.alerts refuses; facilities of nobody or of others (403): of
these nothing is kept. An id that another message has used (409): that is kept as `refused`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.adt.group_commit import Accept
from adapters.adt.http_clients import Pairs
from adapters.adt.intake import SOURCE
from adapters.adt.readings import feed_of
from fhir_mappings.adt.facilities import Facilities, Facility
from fhir_mappings.adt.problems import Unmatched
from fhir_mappings.alerts.answer import response
from fhir_mappings.alerts.encounter_pv1 import visit_number
from fhir_mappings.alerts.message import Notification, notification
from fhir_mappings.alerts.patient_pid import identifiers
from fhir_mappings.alerts.practitioner_xcn import npis
from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.inbox.listing import kept_as
from hub.inbox.messages import PROCESSED, REFUSED, Arrival, Entry, member_key
from hub.problems import Issue, Problem
from hub.store.engine import Database

log = logging.getLogger("hub.adt")
Resource = dict[str, Any]
SECONDS, PAUSE = 2.0, 0.05
REFUSALS = (REFUSED, "unreadable")
STRANGER = "This client speaks for no facility with this visit number's system"


@dataclass(frozen=True, slots=True)
class Notifications:
    """`accept` makes arrivals durable, `bound` are the pairs of client and facility; `check` says what is wrong
    with a resource that a client sends. `seconds`: how long a sender waits for the worker."""

    database: Database
    accept: Accept
    bound: Callable[[], Pairs]
    facilities: Callable[[], Facilities]
    check: Callable[[Resource, str], Sequence[Issue]]
    base: str
    cin_system: str
    now: clock.Clock = clock.now
    seconds: float = SECONDS
    pause: Callable[[float], None] = time.sleep

    def __call__(self, access: Access, bundle: Resource, waits: bool) -> Resource | None:
        """The response message; None where it is kept and not processed yet. Raises Problem."""
        if issues := [issue for issue in self.check(bundle, access.who) if issue.severity in ("error", "fatal")]:
            raise Problem.of(issues)
        told = notification(bundle)
        facility = self._facility(access, told)
        arrival = self._arrival(bundle, told, facility)
        self._keep(arrival)
        ended = self._ended(arrival) if waits else None
        if ended is None:
            return None
        if ended.state in REFUSALS:
            raise Problem("processing", f"Refused: {ended.reason or ended.state}", ended.location or "")
        at = clock.instant(clock.micros(self.now()))
        return response(told, self.base, at) if ended.state == PROCESSED else None

    def _facility(self, access: Access, told: Notification) -> Facility:
        known = self.facilities().by_code
        mine = [known[code] for client, code in sorted(self.bound()) if client == access.who and code in known]
        systems = {one.get("system") for one in told.encounter.get("identifier", ())}
        found = [facility for facility in mine if facility.visit_system in systems]
        if len(found) > 1:
            provider = told.entries.find(told.encounter.get("serviceProvider"), "Organization") or {}
            numbers = set(npis(provider))
            found = [facility for facility in found if facility.npi in numbers]
        if len(found) != 1:
            raise Problem("forbidden", STRANGER, "Encounter.identifier")
        return found[0]

    def _arrival(self, bundle: Resource, told: Notification, facility: Facility) -> Arrival:
        feed, at = feed_of(facility.code), clock.micros(self.now())
        try:
            visit_number(told.encounter, facility)
        except Unmatched as problem:
            raise Problem("business-rule", problem.reason, problem.where) from None
        number = next((one.id for one in identifiers(told.patient, facility, self.cin_system)), "")
        if not number:
            raise Problem("business-rule", "No record number of the facility and no CIN", "Patient.identifier")
        line = member_key(SOURCE.encode(), feed.encode(), number.encode())
        return Arrival(SOURCE, feed, told.id, json.canonical(bundle), at, member=line)

    def _keep(self, arrival: Arrival) -> None:
        """Raises Problem where it is not safe."""
        try:
            (receipt,) = self.accept([arrival])
        except Exception as error:  # ours, whatever it is: nothing was taken
            log.error("$process-message: a message was not stored: %s", type(error).__name__)
            retry = {"Retry-After": "5"}
            raise Problem("busy", "The message could not be stored; send it again", headers=retry) from error
        if receipt == "conflict":
            raise Problem("conflict", "Another message has used this id", "MessageHeader.id")

    def _ended(self, arrival: Arrival) -> Entry | None:
        """The message when the worker has ended it; None where it has not within the time."""
        until = time.monotonic() + self.seconds
        while True:
            with self.database.read() as connection:
                found = kept_as(connection, arrival)
            if found is not None and found.is_ended:
                return found
            if time.monotonic() >= until:
                return None
            self.pause(PAUSE)
