"""The ADT events this hub accepts. Another one is a row here (and, if it needs one, an effect in visit_moves.py).

Rules: HL7 table 0003 (event codes), chapter 3.3.
- `scope`: `visit` events make an Encounter; `person` events (A28, A31, A60) speak of the person only; `merge`
  events say that two numbers are one person.
- `effect`: what a visit event does to the stay, see visit_moves.py.
- `withdraws`: a cancel takes back the newest of these events that still stands, looking back no further than
  `until` (withdrawals.py). Nothing is deleted: without the withdrawn message the visit is folded anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass

VISIT, PERSON, MERGE = "visit", "person", "merge"


@dataclass(frozen=True, slots=True)
class Event:
    display: str
    effect: str
    scope: str = VISIT
    withdraws: tuple[str, ...] = ()
    until: tuple[str, ...] = ()


EVENTS: Mapping[str, Event] = {
    "A01": Event("ADT/ACK - Admit/visit notification", "admit"),
    "A02": Event("ADT/ACK - Transfer a patient", "transfer"),
    "A03": Event("ADT/ACK - Discharge/end visit", "discharge"),
    "A04": Event("ADT/ACK - Register a patient", "register"),
    "A05": Event("ADT/ACK - Pre-admit a patient", "expect"),
    "A06": Event("ADT/ACK - Change an outpatient to an inpatient", "reclass"),
    "A07": Event("ADT/ACK - Change an inpatient to an outpatient", "reclass"),
    "A08": Event("ADT/ACK - Update patient information", "update"),
    "A09": Event("ADT/ACK - Patient departing - tracking", "depart"),
    "A10": Event("ADT/ACK - Patient arriving - tracking", "arrive"),
    "A11": Event("ADT/ACK - Cancel admit/visit notification", "cancel admit", VISIT, ("A01", "A04"), ("A03",)),
    "A12": Event("ADT/ACK - Cancel transfer", "cancel transfer", VISIT, ("A02",), ()),
    "A13": Event("ADT/ACK - Cancel discharge/end visit", "cancel discharge", VISIT, ("A03",), ("A01", "A04")),
    "A28": Event("ADT/ACK - Add person information", "update", PERSON),
    "A31": Event("ADT/ACK - Update person information", "update", PERSON),
    "A34": Event("ADT/ACK - Merge patient information - patient ID only", "merge", MERGE),
    "A40": Event("ADT/ACK - Merge patient - patient identifier list", "merge", MERGE),
    "A60": Event("ADT/ACK - Update allergy information", "update", PERSON),
}
ADMISSIONS = ("admit", "register")
