"""v2 data types as typed parts, as far as anything here reads them.

Rules: HL7 v2.5.1 chapter 2A. Values are as sent, unescaped. Empty and `""` differ (chapter 2.7.2): None = nothing
said, leave as it was; DELETE = remove.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, TypeVar


class Delete(Enum):
    """The v2 null, two quotation marks: the sender deletes the value."""

    DELETE = '""'


DELETE = Delete.DELETE

T = TypeVar("T")
Maybe: TypeAlias = T | Delete | None


def given(value: Maybe[T]) -> T | None:
    """The value, if there is one to write."""
    return None if isinstance(value, Delete) else value


@dataclass(frozen=True, slots=True)
class CX:
    """Extended composite id: CX.1, CX.4.1, CX.5."""

    id: str
    authority: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class XPN:
    """Person name: XPN.1 to XPN.5 and XPN.7."""

    family: str
    given: str = ""
    middle: str = ""
    suffix: str = ""
    prefix: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class XAD:
    """Address: XAD.1 and XAD.2 as lines, XAD.3 to XAD.7, XAD.9."""

    lines: tuple[str, ...] = ()
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    type: str = ""
    county: str = ""


@dataclass(frozen=True, slots=True)
class XTN:
    """Telecommunication: `number` is XTN.12, else XTN.5 to XTN.7, else XTN.1; XTN.2 use, XTN.3 equipment."""

    number: str = ""
    use: str = ""
    equipment: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class XCN:
    """A practitioner: XCN.1 to XCN.3, XCN.6, XCN.9.1 and XCN.13."""

    id: str
    family: str = ""
    given: str = ""
    prefix: str = ""
    authority: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class CWE:
    """A coded value, or a plain code of older versions: CWE.1 to CWE.3."""

    code: str
    text: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class PL:
    """A place in the hospital: PL.1 to PL.3, PL.4.1, PL.7 and PL.8."""

    point_of_care: str = ""
    room: str = ""
    bed: str = ""
    facility: str = ""
    building: str = ""
    floor: str = ""

    def is_same(self, other: "PL | None") -> bool:
        """One place, though one message says less of it: the unit's code tells building and floor, the sender the
        facility."""
        if other is None or self._codes != other._codes:
            return False
        return "" in (self.facility, other.facility) or self.facility == other.facility

    @property
    def _codes(self) -> tuple[str, ...]:
        more = () if self.point_of_care else (self.building, self.floor)
        return (self.point_of_care, self.room, self.bed, *more)


@dataclass(frozen=True, slots=True)
class XON:
    """An organization: XON.1, the id XON.10 (XON.3 before 2.5), XON.6.1 or XON.6.2, XON.7."""

    name: str
    id: str = ""
    authority: str = ""
    type: str = ""
