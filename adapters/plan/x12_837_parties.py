"""Who stands above a claim: when the file was told, who bills, whose claim it is.

Rules: 005010X222A1 and X223A2: BHT, loops 2010AA (NM1*85, PRV*BI), 2010BA (NM1*IL); docs/plan-837.md
- The member's number is the subscriber's (NM109): the CIN, or the number of the member's card (BIC), of which the
  first nine characters are the CIN.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.plan.x12_values import moment
from adapters.x12.segments import Segment

_BIC = re.compile(r"(\d{8}[A-Z])\d{5}", re.ASCII)
_PERSON = "1"  # NM102


@dataclass(slots=True)
class Parties:
    said: str = ""
    purpose: str = ""
    billing: dict[str, str] = field(default_factory=dict)
    subscriber: str = ""
    is_subscriber: bool = True

    def take(self, kind: str, segments: Sequence[Segment]) -> None:
        if kind == "provider":
            self.billing, self.subscriber = {}, ""
        elif kind == "subscriber":
            self.subscriber, self.is_subscriber = "", True
        elif kind == "patient":
            self.is_subscriber = False
        for segment in segments:
            self._segment(kind, segment)

    def _segment(self, kind: str, segment: Segment) -> None:
        who = segment.element(1)
        if segment.name == "BHT":
            self.said = moment(segment.element(4), segment.element(5)) or ""
            self.purpose = segment.element(6)
        elif segment.name == "NM1" and who == "85" and kind == "provider":
            self.billing = party(segment)
        elif segment.name == "PRV" and who == "BI":
            self.billing["taxonomy"] = segment.element(3)
        elif segment.name == "NM1" and who == "IL" and kind == "subscriber":
            self.subscriber = _number(segment.element(9))


def party(segment: Segment) -> dict[str, str]:
    """NM1: name and NPI of a provider."""
    names = [segment.element(place) for place in ((4, 5, 3) if segment.element(2) == _PERSON else (3,))]
    npi = segment.element(9) if segment.element(8) == "XX" else ""
    told = {"name": " ".join(name for name in names if name), "npi": npi}
    return {name: value for name, value in told.items() if value}


def _number(text: str) -> str:
    card = _BIC.fullmatch(text)
    return card[1] if card else text
