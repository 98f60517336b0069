"""The hospitals that send: deployment configuration, one row each; none is shipped.

Columns: facility (MSH-4.1), name, mrn_system, visit_system (URIs), time_zone (IANA), npi (may be empty), part2
(`yes`: a program under 42 CFR Part 2, all of whose messages are its records; may be left out), labels (of
docs/labels.md, with a space between them, such as `PSY` for a psychiatric hospital: a stay there tells as much as a
diagnosis; may be left out).
Refuses: an unknown facility (UnknownFacility); at load a missing column, a repeated facility, an unknown time
zone, a system that is no absolute URI, an NPI with a wrong check digit, a part2 that is neither yes nor no,
a label that there is not (ValueError: a configuration fault).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fhir_mappings.adt.problems import UnknownFacility
from fhir_mappings.adt.records import AdtMessage, given
from hub.fhir.npi import is_npi
from hub.fhir.systems import ACT_CODE, CONFIDENTIALITY
from hub.rights.label_table import LABELS

_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:\S+")


@dataclass(frozen=True, slots=True)
class Facility:
    code: str
    name: str
    mrn_system: str
    visit_system: str
    time_zone: str
    npi: str | None = None
    part2: bool = False
    labels: tuple[str, ...] = ()  # codes of v3-ActCode
    protected: bool = False  # never of the table: what one message protects (protection.py)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def feed(self) -> str:
        """The feed's URI: meta.source of what it writes, and the root of identifiers the hub makes for it."""
        return _feed(self.code)

    @property
    def is_telling(self) -> bool:
        """Whether its mere name says what it treats."""
        return self.part2 or bool(self.labels)

    @property
    def security(self) -> list[dict[str, str]]:
        """The security labels of whatever it sends: its own name says what it treats."""
        restricted = [{"system": CONFIDENTIALITY, "code": "R"}] if self.protected else []
        codes = (*(["42CFRPart2"] if self.part2 else []), *self.labels)
        return restricted + [{"system": ACT_CODE, "code": code} for code in codes]

    @property
    def meta(self) -> dict[str, Any]:
        found = {"source": self.feed}
        return {**found, "security": self.security} if self.is_telling or self.protected else found


@cache  # each identifier of a message asks; there are as many as rows of the table
def _feed(code: str) -> str:
    return f"urn:calaim-hub:adt:{quote(code, safe='')}"


@dataclass(frozen=True, slots=True)
class Facilities:
    by_code: Mapping[str, Facility]

    @classmethod
    def load(cls, rows: Iterable[Mapping[str, str]]) -> "Facilities":
        found: dict[str, Facility] = {}
        for number, row in enumerate(rows, start=1):
            facility = _facility(row, number)
            if facility.code in found:
                raise ValueError(f"facilities row {number}: the facility is there twice")
            found[facility.code] = facility
        return cls(found)

    def of(self, code: str) -> Facility:
        """The facility of an MSH-4.1. Raises UnknownFacility."""
        if code not in self.by_code:
            raise UnknownFacility(code)
        return self.by_code[code]

    def guarded(self, facility: Facility, messages: Iterable[AdtMessage]) -> Facility:
        """The facility as these messages must be treated: when one of them tells of a place or an event in a
        program under 42 CFR Part 2, or in a facility with labels (PV1-3, PV1-6, PV1-11, PV1-42 or EVN-7 names it by
        code or NPI), or says itself that it is guarded, all of them are such records, whoever sent them."""
        every = list(messages)
        named = {name for message in every for name in _places(message)}
        telling = (one for one in self.by_code.values() if one.is_telling)
        there = [one for one in telling if not named.isdisjoint((one.code, one.npi))]
        said = [message for message in every if message.part2 or message.labels]
        guarding: list[Facility | AdtMessage] = [*there, *said]
        labels = dict.fromkeys((*facility.labels, *(label for one in guarding for label in one.labels)))
        part2 = facility.part2 or any(one.part2 for one in guarding)
        return replace(facility, part2=part2, labels=tuple(labels)) if guarding else facility


def _places(message: AdtMessage) -> Iterable[str]:
    visit = message.visit
    sent = (visit.location, visit.prior_location, visit.temporary_location, visit.pending_location)
    return [
        *message.event_facility,
        *(place.facility for each in sent if (place := given(each)) and place.facility),
    ]


def _facility(row: Mapping[str, str], number: int) -> Facility:
    try:
        values = {key: row[key].strip() for key in ("facility", "name", "mrn_system", "visit_system", "time_zone")}
        ZoneInfo(values["time_zone"])
    except (KeyError, ValueError, ZoneInfoNotFoundError) as error:
        raise ValueError(f"facilities row {number}: {error}") from None
    npi = (row.get("npi") or "").strip() or None
    _check(values, npi, number)
    return Facility(
        values["facility"],
        values["name"],
        values["mrn_system"],
        values["visit_system"],
        values["time_zone"],
        npi,
        part2=_part2(row, number),
        labels=_labels(row, number),
    )


def _labels(row: Mapping[str, str], number: int) -> tuple[str, ...]:
    """The first code of each label, which is the one that the hub itself sets."""
    codes = {label.name: label.codes[0] for label in LABELS if label.codes and label.system == ACT_CODE}
    try:
        return tuple(codes[name] for name in (row.get("labels") or "").split())
    except KeyError:
        raise ValueError(f"facilities row {number}: labels are {', '.join(codes)}") from None


def _part2(row: Mapping[str, str], number: int) -> bool:
    said = (row.get("part2") or "no").strip().lower() or "no"
    if said not in ("yes", "no"):
        raise ValueError(f"facilities row {number}: part2 must be yes or no")
    return said == "yes"


def _check(values: Mapping[str, str], npi: str | None, number: int) -> None:
    if not values["facility"] or not values["name"]:
        raise ValueError(f"facilities row {number}: facility and name are needed")
    if not all(_ABSOLUTE.fullmatch(values[key]) for key in ("mrn_system", "visit_system")):
        raise ValueError(f"facilities row {number}: mrn_system and visit_system must be absolute URIs")
    if npi is not None and not is_npi(npi):
        raise ValueError(f"facilities row {number}: the NPI's check digit is wrong")
