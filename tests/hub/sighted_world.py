"""A world of one question: Observations that are hidden from Harbor for one reason each, and those that are not.

Beside each Observation `x` stand resources that Harbor sees and that refer to it: whoever lists them by what
`x` says learns whether `x` is there. They are named `p-x` (Procedure), `q-x` (a Procedure, two steps away), `d-x`
(DiagnosticReport), `e-x` (Encounter, which `x` refers to) and `l-x` (Location of that).
"""

from typing import Any

from hub.access import Access
from tests.hub.asking import Api, observation, patient
from tests.hub.consenting import complete, consent
from tests.hub.sighted import api_of, caller, day, labelled, panel, to
from tests.hub.smallest import smallest

CODE = "urn:test:code"
SHARED = "urn:test:shared"
NAME = "urn:test:name"

PATIENTS = ("seen", "also", "agreed", "ended", "later", "stranger")
# name: the patients it is about, security labels, who wrote it, and other parts
VISIBLE: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "plain": (("seen",), (), "all"),
    "of-two": (("seen", "also"), (), "all"),
    "own-nobodys": ((), (), "harbors"),
    "own-hiv": (("seen",), ("HIV",), "harbors"),
    "agreed-hiv": (("agreed",), ("HIV",), "all"),
    "vital": (("seen",), (), "all"),
}
HIDDEN: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "strangers": (("stranger",), (), "all"),
    "of-who-left": (("ended",), (), "all"),
    "of-who-comes": (("later",), (), "all"),
    "of-one-of-two": (("seen", "stranger"), (), "all"),
    "nobodys": ((), (), "all"),
    "hiv": (("seen",), ("HIV",), "all"),
    "never": (("agreed",), ("PSYTHPN",), "all"),
    "own-of-stranger": (("stranger",), (), "harbors"),
}
CASES = VISIBLE | HIDDEN
MISSING = "missing"  # referred to, and never there
LAB = "http://terminology.hl7.org/CodeSystem/observation-category"


def callers() -> dict[str, Access]:
    from hub.search.criterion import criterion
    from hub.store.criteria import value_key

    lab = value_key(
        ("Observation", "category"), criterion("Observation", "category", f"{LAB}|laboratory").values[0]
    )
    return {
        "harbor": caller(),
        "narrow": caller("narrow", narrowed={"Observation": frozenset((lab,))}),
        "harbors": Access.system("the world of a test", "Organization/harbor"),
    }


def there_for(who: str) -> set[str]:
    return set(VISIBLE) - ({"vital"} if who == "narrow" else set())


def observed(name: str, place: int) -> dict[str, Any]:
    patients, labels, _ = CASES[name]
    category = "vital-signs" if name == "vital" else "laboratory"
    made = observation(
        name,
        code={"coding": [{"system": CODE, "code": "canary"}]},
        category=[{"coding": [{"system": LAB, "code": category}]}],
        identifier=[{"system": SHARED, "value": "all"}, {"system": NAME, "value": name}],
        encounter=to("Encounter", f"e-{name}"),
        performer=[to("Practitioner", "dr"), *(to("Patient", each) for each in patients[1:])],
        derivedFrom=[to("DocumentReference", "leaflet")],
    )
    if patients:
        made["subject"] = to("Patient", patients[0])
    if labels:
        made["meta"] = labelled(*labels)
    # some have no date and no number: they come last when sorted by one
    made |= {"valueQuantity": {"value": place + 1}} if place % 2 else {"valueString": "Canary"}
    return made | ({} if place % 3 == 0 else {"effectiveDateTime": f"2020-01-{place + 1:02}"})


def _around(name: str) -> list[dict[str, Any]]:
    there, of = to("Observation", name), to("Patient", "seen")
    return [
        smallest("Location", f"l-{name}"),
        smallest("Encounter", f"e-{name}")
        | {"subject": of, "location": [{"location": to("Location", f"l-{name}")}]},
        smallest("Procedure", f"p-{name}") | {"subject": of, "reasonReference": [there]},
        smallest("Procedure", f"q-{name}") | {"subject": of, "partOf": [to("Procedure", f"p-{name}")]},
        smallest("DiagnosticReport", f"d-{name}") | {"subject": of, "result": [there]},
    ]


def people() -> list[dict[str, Any]]:
    return [
        smallest("Practitioner", "dr"),
        *(patient(each, identifier=[{"system": NAME, "value": each}]) for each in PATIENTS),
        panel("seen", "also", "agreed", ended={"end": day(-1)}, later={"start": day(1)}),
        agreed("agreed", "HIV"),
    ]


def agreed(name: str, marked: str, identity: str = "yes", **parts: Any) -> dict[str, Any]:
    """A Consent by which this patient opens these labels to Harbor."""
    of = to("Patient", name)
    what = complete(marked=marked, period={"start": day(-30), "end": day(30)})
    rule = {"text": "invented"}
    usual = {"id": identity, "patient": of, "performer": [of], "dateTime": day(-20), "policyRule": rule}
    return consent(what, **usual | parts)


def observations(api: Api) -> None:
    for place, name in enumerate(CASES):
        api.as_(CASES[name][2]).have(observed(name, place))


def around(api: Api) -> None:
    every = [*CASES, MISSING]
    for name in every:
        api.have(*_around(name))
    entries = [{"item": to("Observation", each)} for each in every]
    api.have(
        smallest("DiagnosticReport", "whole") | {"subject": to("Patient", "seen")}
        | {"result": [to("Observation", each) for each in every]},
        smallest("List", "listed") | {"subject": to("Patient", "seen"), "entry": entries},
        smallest("List", "hidden-list") | {"subject": to("Patient", "stranger"), "entry": entries},
        # two steps of which only the one between is hidden
        smallest("Procedure", "between") | {"subject": to("Patient", "stranger")}
        | {"reasonReference": [to("Observation", "plain")]},
        smallest("Procedure", "q-between")
        | {"subject": to("Patient", "seen"), "partOf": [to("Procedure", "between")]},
        *(_document(name) for name in CASES),
    )  # fmt: skip


def _document(name: str) -> dict[str, Any]:
    """For $docref: one of each type."""
    patients, labels, _ = CASES[name]
    kind = {"coding": [{"system": CODE, "code": name}]}
    made = smallest("DocumentReference", f"doc-{name}") | {"status": "current", "type": kind}
    made |= {"subject": to("Patient", patients[0])} if patients else {}
    made |= {"author": [to("Patient", each) for each in patients[1:]]} if patients[1:] else {}
    return made | ({"meta": labelled(*labels)} if labels else {})


def world(database: Any, **options: Any) -> Api:
    """All of it, over an empty store."""
    api = api_of(database, callers(), **options)
    api.have(*people())
    observations(api)
    return api
