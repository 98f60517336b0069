"""Group/[id]/$attribution-status and $confirm-attribution-list: what a list says of one member, and that its reader
wants no more changes.

Rules: Da Vinci ATR 2.1.0, http://hl7.org/fhir/us/davinci-atr/OperationDefinition/attribution-status (a member by
memberId or patientReference; a Bundle of all attribution resources of that patient) and
.../confirm-attribution-list (201; a list may be final afterwards). docs/access.md: the status is a read of the
Group for who sees it: the list with the entries of this member alone, the Patient, and the providers and Coverages
that those entries name, as far as the caller may read them. Confirming changes the list: who may update it may.
Refuses: no member, or both ways of naming one (400); who is not there for the caller, or not at all (422); a Group
that is no list (422).
"""

from dataclasses import replace
from typing import Any

from hub.fhir import json
from hub.leaving import SUBSETTED
from hub.operations import searchset
from hub.operations.call import Call, Operation
from hub.operations.member_add import DEFINITION, MEMBER, PROVIDERS, changed, patient_of, same, version_of
from hub.operations.member_list import confirmed, of_member, referred
from hub.problems import Issue
from hub.search.values import references
from hub.store import inclusions, read
from hub.store.read import Stored

NAMED = ("Coverage", *PROVIDERS)  # what the entries of a list refer to
Part = dict[str, Any]


def attribution_status(call: Call) -> bytes:
    """A searchset Bundle: the list, then what it names. Without an entry of the member nothing is in it."""
    call.stored()
    call.released.clear()  # what leaves is in the Bundle
    stored, patient = read.current(call.connection, call.access, "Group", call.id), patient_of(call)
    group = json.stored(stored.body) if stored and stored.body else {}
    members = of_member(group, patient, same(call))
    told = replace(call, given={})  # whom it is about stands in no link
    if stored is None or not members:
        issue = Issue("informational", "This list has no entry of the member", severity="information")
        return searchset.bundle(told, 0, None, [], [], [issue])
    narrowed = replace(stored, body=json.write(_narrowed(group, members)))
    return searchset.bundle(told, 1, None, [narrowed], _about(call, patient, members), [])


def _narrowed(group: Part, members: list[Part]) -> Part:
    """The list without the other members, which its tag tells."""
    if len(members) == len(group["member"]):
        return group
    meta = group.get("meta", {})
    tags = [tag for tag in meta.get("tag", ()) if tag != SUBSETTED]
    kept = {name: value for name, value in group.items() if name not in ("quantity", "text")}
    return {**kept, "meta": {**meta, "tag": [*tags, SUBSETTED]}, "member": members}


def _about(call: Call, patient: str, members: list[Part]) -> list[Stored]:
    named = [each for one in members for node in referred(one) for each in references(node, call.base)]
    others = [(kind, identity) for kind, identity in named if kind and kind in NAMED]
    asked = [("Patient", patient.partition("/")[2]), *others]
    return inclusions.named(call.connection, call.access, list(dict.fromkeys(asked))[: inclusions.MOST])


def confirm_attribution_list(call: Call) -> bytes:
    """An OperationOutcome that says what was done."""
    return changed(call, version_of(call), confirmed, ("The list is final now", "The list stays as it is"))


ROWS = (
    Operation(
        "attribution-status",
        f"{DEFINITION}attribution-status",
        ("instance",),
        attribution_status,
        ("Group",),
        MEMBER,
        get_levels=(),  # whom it asks about is a Reference or an Identifier: no parameter of a URL
    ),
    Operation(
        "confirm-attribution-list",
        f"{DEFINITION}confirm-attribution-list",
        ("instance",),
        confirm_attribution_list,
        ("Group",),
        affects=True,
        status=201,
    ),
)
