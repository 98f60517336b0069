"""The ADT events this hub accepts. Another one is a row here (and, if it needs one, an effect in visit_fold.py).

Rules: HL7 table 0003 (event codes), chapter 3.3. Effects: `admit` opens the stay, `discharge` ends it, `update`
changes facts only.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    display: str
    effect: str


EVENTS: Mapping[str, Event] = {
    "A01": Event("ADT/ACK - Admit/visit notification", "admit"),
    "A03": Event("ADT/ACK - Discharge/end visit", "discharge"),
    "A04": Event("ADT/ACK - Register a patient", "admit"),
    "A08": Event("ADT/ACK - Update patient information", "update"),
}
