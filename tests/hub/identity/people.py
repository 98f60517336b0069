"""Persons for the tests of identity, said in one line."""

from typing import Any

from hub.fhir.systems import CIN_SYSTEM, MRN_SYSTEM_BASE
from hub.identity.frequencies import Counted
from hub.identity.person import Person, Said, person
from hub.identity.strong import Identifier

STREET = (["12 Nowhere Street"], "Exampleton", "00001")
OTHER_STREET = (["7 Imaginary Avenue"], "Exampleton", "00002")


def someone(
    family: str = "Fauxfield", given: str = "Exampla", suffix: str = "", source: str = "plan", **said: Any
) -> Person:
    """A woman with a birth date, unless the rest says otherwise."""
    return person(
        source, Said(**{"names": [(family, [given], suffix)], "born": "1980-02-17", "sex": "female", **said})
    )


def cin(value: str) -> Identifier:
    return Identifier("cin", CIN_SYSTEM, value)


def mrn(value: str, hospital: str = "exgen") -> Identifier:
    return Identifier("mrn", MRN_SYSTEM_BASE + hospital, value)


def frequencies(**counts: int) -> Counted:
    """A hub that knows 100,000 persons; `given_maria=2000` says how many are called so."""
    found = Counted(100_000)
    for name, count in counts.items():
        kind, _, value = name.partition("_")
        found.counts[kind, value] = count
    return found
