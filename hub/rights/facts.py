"""What a resource's row says beside its content: whose it is, and what it tells of who may see others.

Rules: docs/access.md; https://hl7.org/fhir/R4/compartmentdefinition-patient.html (a focus is no membership)
Pure. What is nested (contained resources, entries of a Bundle, Parameters) counts with what holds it, so nothing
hidden leaves inside something that is not.
A Group and a Subscription belong to whoever has to do with them: they are a "patient" of their own here, to which
their managing organization, or the client that asked, is related.
Whose Provenance and other notes on a record are, their targets say: `inherits`, which the caller looks up.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.rights.consent_forms import told_by
from hub.rights.consents import rules_of
from hub.rights.directory import DIRECTORY
from hub.rights.provisions import recipient_class
from hub.rights.relations import ALWAYS, relations_of
from hub.search.compartments import patients_of
from hub.search.edges import address
from hub.search.hashes import key
from hub.search.values import references
from hub.sight import NOBODY, OWNED, REGISTERED, SEVERAL, UNKNOWN

Resource = Mapping[str, Any]
Relation = tuple[int, int, int, int, int]
CONSENT = "Consent"
# what belongs to whom has to do with it: its rows of index_relation name itself as the patient
OWN_PEOPLE = ("Group", "Subscription")
REVIEW, REVIEWERS = "identity-review", "operator"  # the code of such a Task, and the role that sees it
STAFF = ("Practitioner", "PractitionerRole")
# what has no patient of its own: the elements that name what it is about
ABOUT: Mapping[str, tuple[str, ...]] = {
    "Provenance": ("target",),
    "Binary": ("securityContext",),
    "Linkage": ("item",),
    "VerificationResult": ("target",),
    "MessageHeader": ("focus",),
    "Task": ("focus", "basedOn", "partOf"),
    "Communication": ("about",),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """`patient` as in hub.sight, `patients` all of them where they are several; `inherits` the addresses of what
    says whose it is, where the resource does not."""

    patient: int
    patients: frozenset[int] = frozenset()
    inherits: frozenset[int] = frozenset()


def is_review(resource: Resource) -> bool:
    """A Task that asks the operators who is who: it belongs to nobody else, whomever it names."""
    if resource["resourceType"] != "Task":
        return False
    return any(coding.get("code") == REVIEW for coding in resource.get("code", {}).get("coding", ()))


def source_number(source: str) -> int:
    """The number by which a source is compared: an Organization's address, or one of its name's; 0 for none."""
    if not source:
        return 0
    kind, slash, identity = source.partition("/")
    return address(kind, identity) if slash and kind == "Organization" else key("", "source", source)


def client_number(client: str) -> int:
    """The number of a client among the holders of relations."""
    return key("client", client)


def facts_of(resource: dict[str, Any], base: str) -> Facts:
    """Whose a resource is."""
    kind = resource["resourceType"]
    if kind in OWN_PEOPLE or is_review(resource):
        return Facts(address(kind, resource["id"]))
    patients = frozenset(address("Patient", each) for each in _patients(resource, base))
    if kind == "Provenance":  # its targets say it, the patients among them, and how sensitive they are
        return Facts(UNKNOWN, patients, frozenset(_about(resource, base)))
    if len(patients) > 1:
        return Facts(SEVERAL, patients)
    if patients:
        return Facts(next(iter(patients)))
    if kind in DIRECTORY:
        return Facts(NOBODY)
    return Facts(UNKNOWN, inherits=frozenset(_about(resource, base)))


def people_named(resource: Any, base: str) -> Iterator[int]:
    """The addresses of the staff that a resource refers to anywhere."""
    if isinstance(resource, list):
        for each in resource:
            yield from people_named(each, base)
    elif isinstance(resource, dict):
        for target, identity in references(resource, base):
            if target in STAFF:
                yield address(target, identity)
        for each in resource.values():
            yield from people_named(each, base)


def _patients(resource: dict[str, Any], base: str) -> set[str]:
    found = patients_of(resource, base)
    for inner in nested(resource):
        # a contained Patient has no identity of its own; one in a Bundle may be the one stored here
        found |= patients_of(inner, base)
    return found


def nested(resource: Resource) -> Iterator[dict[str, Any]]:
    """The resources inside one, at any depth."""
    for inner in _inside(resource):
        if isinstance(inner, dict) and "resourceType" in inner:
            yield inner
            yield from nested(inner)


def consents_tell(resource: Resource) -> int:
    """The labels of what a Consent, or one inside another resource, tells by its form and its categories: they are
    no security labels, so hub.rights.labels does not see them."""
    mask = 0
    for each in (resource, *nested(resource)):
        if each["resourceType"] == CONSENT:
            mask |= told_by(each)
    return mask


def _inside(resource: Resource) -> Iterable[Any]:
    yield from (one for one in resource.get("contained", ()) if one.get("resourceType") != "Patient")
    kind = resource["resourceType"]
    if kind == "Bundle":
        yield from (entry.get("resource") for entry in resource.get("entry", ()))
    elif kind == "Parameters":
        yield from _parameters(resource.get("parameter", ()))


def _parameters(parameters: Iterable[Any]) -> Iterable[Any]:
    for each in parameters:
        yield each.get("resource")
        yield from _parameters(each.get("part", ()))


def _about(resource: Resource, base: str) -> Iterator[int]:
    for name in ABOUT.get(resource["resourceType"], ()):
        value = resource.get(name, ())
        for node in value if isinstance(value, list) else (value,):
            named = node.get("resource", node) if isinstance(node, dict) else node
            yield from (address(target, identity) for target, identity in references(named, base) if target)


def relations(resource: dict[str, Any], base: str, source: int, client: str) -> set[Relation]:
    """The rows that a resource brings when it is written anew by this client, for this source."""
    found = set(relations_of(resource, base))
    of, itself = resource["resourceType"], address(resource["resourceType"], resource["id"])
    if of == "Group":
        managers = [one for node in (resource.get("managingEntity"),) if node for one in references(node, base)]
        found |= {(itself, address(kind, each), OWNED, *ALWAYS) for kind, each in managers if kind}
        found |= {(itself, source, OWNED, *ALWAYS)} if source else set()
    elif of == "Subscription":
        found.add((itself, client_number(client), OWNED, *ALWAYS))
    elif is_review(resource):
        found = {(itself, recipient_class(REVIEWERS), OWNED, *ALWAYS)}
    elif of == "Patient" and source:
        found.add((itself, source, REGISTERED, *ALWAYS))
    return found


SPEAKS_OF_OTHERS = frozenset(
    ("Patient", *OWN_PEOPLE, "CareTeam", "Task", "ServiceRequest", "Coverage", "EpisodeOfCare", "RelatedPerson")
)


def consents(resource: dict[str, Any], base: str) -> set[tuple[Any, ...]]:
    return rules_of(resource, base) if resource["resourceType"] == CONSENT else set()
