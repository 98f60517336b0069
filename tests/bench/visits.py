"""Hospital messages to send: visits of the demo county's members and of people nobody knows yet, 1 to 2 KB.

Each control id, visit number and unknown person occurs once. A visit starts (A01 or A04), and every fourth message
is the end (A03) of one that started a while ago. All people and numbers are invented.
"""

import time
from dataclasses import dataclass

from adapters.adt.frames import framed
from hub.demo.members import CIN_LETTERS, Member, member
from hub.demo.organizations import npi
from hub.demo.people import mrn
from hub.demo.scenario import Scenario
from tests.bench.mllp import Frames

AFTER = 120  # messages between the start of a visit and its end
NOTE = "OBX|{n}|TX|NOTE^Observation note^L||Invented text of an invented encounter, long enough to weigh||||||F\r"
ADMITTED, LEFT = "20261101083000", "20261104100000"


@dataclass(frozen=True, slots=True)
class Person:
    """As PID says it."""

    numbers: str
    family: str
    given: str
    born: str
    sex: str
    cin: str


def known(number: int, facility: str = "EXGEN") -> Person:
    """A member of the demo county at a hospital that gave them a record number of its own."""
    scenario = Scenario()
    found: Member = member(scenario, number)
    at_home = found.mrn_hospital is not None and found.mrn_hospital.facility == facility
    record = mrn(found) if at_home else f"VISITOR{number:06d}"
    sex = {"female": "F", "male": "M"}.get(found.gender, "U")
    born = scenario.day(found.born).replace("-", "")
    return Person(_numbers(record, facility, found.cin), found.family, found.given, born, sex, found.cin)


def unknown(number: int, facility: str = "EXGEN") -> Person:
    """A person whom the county does not know."""
    cin = f"95{number:06d}{CIN_LETTERS[number % len(CIN_LETTERS)]}"
    born = f"{1940 + number % 70}{1 + number % 12:02d}{1 + number % 28:02d}"
    return Person(
        _numbers(f"NEW{number:07d}", facility, cin), "Testperson-Unmet", "Quillon", born, "FM"[number % 2], cin
    )


def _numbers(record: str, facility: str, cin: str) -> str:
    return f"{record}^^^{facility}^MR~{cin}^^^MEDI-CAL^MA"


def adt(event: str, control_id: str, visit: str, who: Person, notes: int = 3, facility: str = "EXGEN") -> bytes:
    """An ADT message; `notes` of 96 bytes each make it longer."""
    at = LEFT if event == "A03" else ADMITTED
    left = f"01||||||||{ADMITTED}|{LEFT}" if event == "A03" else f"||||||||{ADMITTED}"
    kind = "E" if event == "A04" else "I"
    insured = f"{who.family}^{who.given}|SEL{'|' * 19}{who.cin}"
    doctor = f"{npi(2001)}^Examplephysician^Ada^^^^MD"
    return (
        f"MSH|^~\\&|BENCHADT|{facility}|HUB|COUNTY|{at}||ADT^{event}^ADT_A01|{control_id}|P|2.5.1\r"
        f"EVN|{event}|{at}\r"
        f"PID|1||{who.numbers}||{who.family}^{who.given}||{who.born}|{who.sex}|||1 Nowhere Street"
        "^^Exampleton^CA^00000^US^H||^PRN^PH^^1^555^5550100|||||||||||||||||N\r"
        "NK1|1|Testperson-Birch^Sibling|SIB|1 Nowhere Street^^Exampleton^CA^00000|^PRN^PH^^1^555^5550101\r"
        f"PV1|1|{kind}|4 EAST^401^A^{facility}||||{doctor}|||MED||||1|||||{visit}|||||||||||||||||{left}\r"
        "DG1|1||I10^Essential (primary) hypertension^I10|||A\r"
        "DG1|2||E11.9^Type 2 diabetes mellitus without complications^I10|||A\r"
        f"IN1|1|MCAL|EHP|Example Health Plan||||||||20260101||||{insured}\r"
        + "".join(NOTE.format(n=n + 1) for n in range(notes))
    ).encode()


class Visits(Frames):
    """Frames to send, one after the other. `known_share` of the visits are of the county's `members`, the others of
    people whom nobody knows. `discharges`: whether visits end."""

    def __init__(self, members: int, *, known_share: float = 0.25, discharges: bool = True):
        self._members = [known(number) for number in range(1, members + 1)]
        self._known_share = known_share
        self._discharges = discharges
        self._open: list[tuple[str, Person]] = []
        self._prefix = f"{time.time_ns() // 1_000_000:x}"
        self.n = 0
        self.started = 0

    def next(self) -> bytes:
        self.n += 1
        control_id = f"{self._prefix}{self.n:07d}"
        notes = 3 + self.n % 9
        if self._discharges and self.n % 4 == 0 and len(self._open) > AFTER:
            visit, who = self._open.pop(0)
            return framed(adt("A03", control_id, visit, who, notes))
        visit, who = f"V{self._prefix}{self.n:07d}", self._next_person()
        if self._discharges:
            self._open.append((visit, who))
        return framed(adt("A04" if self.n % 3 == 0 else "A01", control_id, visit, who, notes))

    def _next_person(self) -> Person:
        self.started += 1
        share = self._known_share
        if int(self.started * share) > int((self.started - 1) * share):
            return self._members[int(self.started * share) % len(self._members)]
        return unknown(self.started)
