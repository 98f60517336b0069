"""From a client, its token's scopes and the person at it to an `Access`: what it may do, and what is there for it.

Rules: docs/access.md; SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
Scopes take away from the role, never add. A granular scope lets read and search only; where a letter is granted by
granular scopes alone, the whole type is narrowed to what they name.
Refuses (nothing is granted, nothing is seen): roles nobody knows, clients switched off, `system/` scopes beside a
person, `user/` and `patient/` scopes without one, `patient/` scopes without a patient, granular scopes whose
conditions are several or are no plain tokens, a member's app about somebody else.
A client without an organization has no relations and no data of its own, unless its role asks for no relation.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from auth import roles
from auth.clients import Client
from auth.roles import CONSENT, FREE, NEVER, ROLES, Role
from auth.scopes import PATIENT, SYSTEM, USER, Scope, parse
from hub.access import Access
from hub.problems import Problem
from hub.rights.facts import REVIEWERS, client_number, source_number
from hub.rights.labels import BITS
from hub.rights.provisions import ANYONE, recipient_class
from hub.search.criterion import TokenValue, criterion
from hub.search.edges import address
from hub.search.parameters import IN_COLUMNS
from hub.search.values import reference_of
from hub.sight import PURPOSES, Sight
from hub.store.criteria import value_key

READING = frozenset("rs")
PERSONS = ("Practitioner", "PractitionerRole")  # what a member of staff is in the directory
Grants = frozenset[tuple[str, str]]
Narrowed = Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks, references taken apart. `organization` and `staff` are addresses, 0 for none."""

    client: Client
    role: Role
    organization: int
    staff: int
    patient: int
    proxy: int = 0


def access_for(
    client: Client,
    scopes: Sequence[Scope],
    *,
    user: str = "",
    patient: str = "",
    base: str = "",
    person: str = "",
    emergency: bool = False,
) -> Access:
    """The access of a token. `user` is the fhirUser, `person` the id of who signed in, `patient` the id (or
    reference) of the launch. `emergency`: glass is broken now, so that what a consent permits in one counts."""
    role = ROLES.get(client.role) if client.active else None
    usable = _usable(scopes, bool(user or person), bool(patient), role) if role else ()
    asking = _asking(client, role, user, patient, base, _is_narrow(usable)) if role and usable else None
    source = _organization(client, base) or client.id
    if asking is None:
        return Access(client.id, frozenset(), client.role, user=person or user, source=source)
    grants, narrowed = _covered(asking.role.id, usable)
    sight = _sight(asking, narrowed, source, emergency)
    narrow = bool(user or person) or _is_less(client, asking.role, grants, narrowed)
    return Access(client.id, grants, client.role, sight=sight, user=person or user, source=source, narrow=narrow)


def _is_less(client: Client, role: Role, grants: Grants, narrowed: Narrowed) -> bool:
    """Whether these read less than the client may by itself: what its notices are decided by (auth.notices)."""
    registered = _usable(parse(client.scopes), False, False, role) if client.scopes else ()
    whole, keys = _covered(role.id, registered)
    reading = {pair for pair in whole if pair[1] in READING}
    return not reading <= grants or any(name not in keys or not keys[name] <= narrowed[name] for name in narrowed)


def _usable(scopes: Sequence[Scope], signed_in: bool, launched: bool, role: Role) -> tuple[Scope, ...]:
    """The scopes that mean something for who is there."""
    there = {SYSTEM: not signed_in and not role.person, USER: signed_in, PATIENT: signed_in and launched}
    return tuple(scope for scope in scopes if there.get(scope.context, False))


def _is_narrow(scopes: Iterable[Scope]) -> bool:
    """Whether the token is about one patient: SMART's `patient/` scopes. One of them is enough."""
    return any(scope.context == PATIENT for scope in scopes)


def _asking(client: Client, role: Role, user: str, patient: str, base: str, narrow: bool) -> _Asking | None:
    kind, identity = reference_of(user, base)
    launch = address("Patient", patient.rpartition("/")[2]) if patient else 0
    if role.person:
        return _member(client, role, address(kind, identity) if kind else 0, kind, launch)
    organization = _organization(client, base)
    return _Asking(
        client,
        role,
        source_number(organization),
        address(kind, identity) if kind in PERSONS and organization else 0,
        launch if narrow else 0,
    )


def _member(client: Client, role: Role, person: int, kind: str | None, launch: int) -> _Asking | None:
    """A member about itself, or a RelatedPerson about the member that the launch names."""
    if kind == "Patient" and launch in (0, person):
        return _Asking(client, role, 0, 0, person)
    if kind == "RelatedPerson" and launch:
        return _Asking(client, role, 0, 0, launch, proxy=person)
    return None


def _sight(asking: _Asking, narrowed: Narrowed, source: str, emergency: bool) -> Sight:
    role, client = asking.role, asking.client
    named = tuple(filter(None, (asking.organization, asking.staff, asking.proxy)))
    guarded, never = masks(role.id)
    has_own = role.own and (asking.organization or role.all_patients)
    return Sight(
        all_patients=role.all_patients,
        self_only=role.person and not asking.proxy,
        writes_any=role.writes_any,
        # the client itself: for what is its own, and for broken glass
        holders=(*named, client_number(client.id), *_queues(role)),
        kinds=roles.kinds_of(role),
        patient=asking.patient,
        own=source_number(source) if has_own else 0,
        recipients=(*named, recipient_class(role.id), ANYONE),
        purposes=_purposes(role, client.purposes) | (PURPOSES["ETREAT"] if emergency else 0),
        guarded=guarded,
        never=never,
        elements=roles.elements_of_role(role.id),
        narrowed=narrowed,
    )


def _queues(role: Role) -> Iterator[int]:
    """What belongs to a role itself: the reviews of who is who are the operators'."""
    if role.id == REVIEWERS:
        yield recipient_class(role.id)


@lru_cache(maxsize=64)
def masks(role_id: str) -> tuple[int, int]:
    """The labels that only a consent opens to a role, and those that nothing does: what the table does not name
    is among these."""
    found = {FREE: 0, CONSENT: 0, NEVER: 0}
    for name, policy in roles.label_policy(role_id).items():
        found[policy] |= BITS[name]
    return found[CONSENT], ~(found[FREE] | found[CONSENT])


def _purposes(role: Role, chosen: Sequence[str]) -> int:
    """The client's purposes as far as they are its role's; all of these where it has none."""
    return sum(PURPOSES[code] for code in role.purposes if not chosen or code in chosen)


def _organization(client: Client, base: str) -> str:
    """`Organization/harbor`, or nothing where it is no such reference."""
    kind, identity = reference_of(client.organization, base)
    return f"{kind}/{identity}" if kind == "Organization" else ""


@lru_cache(maxsize=512)
def _covered(role_id: str, scopes: tuple[Scope, ...]) -> tuple[Grants, Narrowed]:
    """What scopes and role both cover, and the keys to which granular scopes narrow a type."""
    allowed = roles.letters_of(role_id)
    plain: set[tuple[str, str]] = set()
    granular: dict[str, set[str]] = {}
    keys: dict[str, set[int]] = {}
    for scope in scopes:
        if not scope.query:
            plain |= _pairs(scope, allowed)
        elif found := granular_keys(scope):
            granular.setdefault(scope.resource, set()).update(letter for _, letter in _pairs(scope, allowed))
            keys.setdefault(scope.resource, set()).update(found)
    reading = {(name, letter) for name, letters in granular.items() for letter in letters & READING}
    narrowed = {name: frozenset(keys[name]) for name, _ in reading - plain}
    return frozenset(plain | reading), narrowed


def _pairs(scope: Scope, allowed: roles.Letters) -> set[tuple[str, str]]:
    types = allowed if scope.resource == "*" else allowed.keys() & {scope.resource}
    return {(name, letter) for name in types for letter in allowed[name] & set(scope.letters)}


def granular_keys(scope: Scope) -> frozenset[int]:
    """The index keys of which a resource must have one; none where the condition cannot be told by one key."""
    if len(scope.conditions) != 1 or scope.resource == "*":
        return frozenset()
    try:
        found = criterion(scope.resource, *scope.conditions[0])
    except Problem:
        return frozenset()
    values = [value for value in found.values if isinstance(value, TokenValue)]
    is_keyed = found.parameter.type == "token" and found.parameter.code not in IN_COLUMNS and not found.modifier
    if not is_keyed or len(values) != len(found.values):
        return frozenset()
    return frozenset(_keys(found.parameter.names, values))


def _keys(names: Iterable[tuple[str, str]], values: Sequence[TokenValue]) -> Iterator[int]:
    for name in names:
        yield from (value_key(name, value) for value in values)
