"""Group/[id]/$member-add and $member-remove: a plan reconciles its member attribution list with a provider.

Rules: Da Vinci ATR 2.1.0, http://hl7.org/fhir/us/davinci-atr/OperationDefinition/member-add and
.../member-remove: a member by memberId or patientReference, a provider by providerNpi or providerReference, for
the removal also a coverageReference; hub.operations.member_list says what becomes of the list. docs/access.md:
who may update the Group may do this, for members whom it sees; what is not there for a caller and what is not
there at all are answered alike. A list that has what is asked for stays as it is: the same call again changes
nothing.
Refuses: other combinations (400); members and providers that nobody knows, or several have (422); lists that are
final (422); who is not on the list (422).
"""

from collections.abc import Callable
from typing import Any

from hub import clock
from hub.audit.recorder import riding
from hub.fhir import json
from hub.fhir.systems import US_NPI
from hub.operations.call import Call, Operation, Parameter
from hub.operations.member_list import Attribution, Same, added, check_period, removed
from hub.problems import Issue, Problem, outcome
from hub.search.query import Limits, parse
from hub.search.texts import escaped
from hub.search.values import reference_of, references
from hub.store import read
from hub.transactions import single

PROVIDERS = ("Organization", "Practitioner", "PractitionerRole")
WITH_NPI = ("Organization", "Practitioner")
DEFINITION = "http://hl7.org/fhir/us/davinci-atr/OperationDefinition/"
Part = dict[str, Any]


def member_add(call: Call) -> bytes:
    """An OperationOutcome that says what was done."""
    before = version_of(call)
    period = call.given.get("attributionPeriod")
    if period is not None:
        check_period(period)
    provider = _provider(call)
    if not provider:
        raise Problem("required", "$member-add needs 'providerNpi' or 'providerReference'", "providerNpi")
    wanted = Attribution(patient_of(call), provider, period=period)
    today = _now(call)[:10]
    return changed(call, before, lambda group: added(group, wanted, today, same(call)))


def member_remove(call: Call) -> bytes:
    """An OperationOutcome that says what was done."""
    before = version_of(call)
    coverage = _named(call, "coverageReference", ("Coverage",)) if "coverageReference" in call.given else ""
    wanted = Attribution(patient_of(call), _provider(call), coverage)
    now = _now(call)
    return changed(call, before, lambda group: removed(group, wanted, now, same(call)))


def version_of(call: Call) -> int:
    """The list's, for who may change it. Raises Problem."""
    call.access.require("update", "Group")
    return call.stored().version


def changed(
    call: Call,
    before: int,
    change: Callable[[Part], Part],
    told: tuple[str, str] = ("The list was changed", "The list has this already"),
) -> bytes:
    """An OperationOutcome that says which of the two it is. Raises Problem."""
    entry = single("PATCH", "Group", id=call.id, patch=change, if_match=call.if_match)
    audit = riding(call.audit, [entry], call.access)
    (result,) = call.transactions.commit([entry], call.access, audit=audit)
    if call.audit:
        call.audit.committed()
    is_new = result.stored is not None and result.stored.version != before
    return json.write(outcome([Issue("informational", told[0 if is_new else 1], severity="information")]))


def patient_of(call: Call) -> str:
    """`Patient/id` of whom 'memberId' or 'patientReference' names. Raises Problem."""
    _either(call, "memberId", "patientReference")
    if "patientReference" in call.given:
        return _named(call, "patientReference", ("Patient",))
    if "memberId" not in call.given:
        raise Problem("required", f"${call.operation} needs 'memberId' or 'patientReference'", "memberId")
    call.access.require("read", "Patient")
    call.access.require("search-type", "Patient")
    token = _token(call.given["memberId"])
    asked = [(("identifier", token),)]
    if call.access.may("search-type", "Coverage"):
        asked.append((("_has:Coverage:beneficiary:identifier", token),))
    return _only(call, "memberId", {name for pairs in asked for name in _found(call, "Patient", *pairs)})


def _provider(call: Call) -> str:
    """Empty where none is named."""
    _either(call, "providerNpi", "providerReference")
    if "providerReference" in call.given:
        return _named(call, "providerReference", PROVIDERS)
    if "providerNpi" not in call.given:
        return ""
    token = _token({"system": US_NPI, **call.given["providerNpi"]})
    found = {name for kind in WITH_NPI for name in _found(call, kind, ("identifier", token))}
    return _only(call, "providerNpi", found)


def _either(call: Call, one: str, other: str) -> None:
    if one in call.given and other in call.given:
        raise Problem("invalid", f"Give '{one}' or '{other}', not both", other)


def _named(call: Call, name: str, kinds: tuple[str, ...]) -> str:
    """`Type/id` of a reference to what the caller may see. Raises Problem."""
    kind, identity = reference_of(call.given[name]["reference"], call.base)
    if kind not in kinds:
        raise Problem("value", f"'{name}' refers to {' or '.join(kinds)} of this hub", name)
    call.access.require("read", kind)
    stored = read.current(call.connection, call.access, kind, identity)
    return _only(call, name, {f"{kind}/{identity}"} if stored and stored.body else set())


def _found(call: Call, kind: str, *pairs: tuple[str, str]) -> list[str]:
    query = parse(kind, pairs, Limits(base=call.base))
    return [f"{kind}/{row.id}" for row in read.page(call.connection, call.access, query, (), 2)]


def _only(call: Call, name: str, found: set[str]) -> str:
    if len(found) != 1:
        raise Problem("processing", f"'{name}' names {'several' if found else 'nobody'} here", name)
    return found.pop()


def _token(identifier: Part) -> str:
    return "|".join(escaped(text) for text in (identifier.get("system"), identifier["value"]) if text)


def same(call: Call) -> Same:
    """References as this hub reads them."""
    return lambda node, name: any(f"{kind}/{identity}" == name for kind, identity in references(node, call.base))


def _now(call: Call) -> str:
    return clock.instant(clock.micros(call.now()))


MEMBER = (Parameter("memberId", "Identifier"), Parameter("patientReference", "Reference"))
_WHO = (*MEMBER, Parameter("providerNpi", "Identifier"), Parameter("providerReference", "Reference"))
ROWS = (
    Operation(
        "member-add",
        f"{DEFINITION}member-add",
        ("instance",),
        member_add,
        ("Group",),
        (*_WHO, Parameter("attributionPeriod", "Period")),
        affects=True,
    ),
    Operation(
        "member-remove",
        f"{DEFINITION}member-remove",
        ("instance",),
        member_remove,
        ("Group",),
        (*_WHO, Parameter("coverageReference", "Reference")),
        affects=True,
    ),
)
