"""$meta, $meta-add and $meta-delete: profiles, tags and security labels of a resource.

Rules: https://hl7.org/fhir/R4/resource-operation-meta.html, resource-operation-meta-add.html,
resource-operation-meta-delete.html (the identity of a label is its system and code)
What changes makes a new version, so that history, If-Match and the search index stay right; what changes nothing
makes none. The result is validated like any other write.
Not served: $meta of a type or of the system (R4 leaves it open): the index holds hashes of labels, not the labels.
Refuses: a `meta` with other elements than these three; `versionId` and `lastUpdated` are the server's: left out.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hub.audit.recorder import riding
from hub.fhir import json
from hub.fhir.bundles import ID
from hub.leaving import one
from hub.operations.call import Call, Operation, Parameter, Resource
from hub.problems import Problem
from hub.transactions import single

LISTS = ("profile", "security", "tag")
THE_SERVERS = ("versionId", "lastUpdated")
DEFINITION = "http://hl7.org/fhir/OperationDefinition/Resource-"

Change = Callable[[list[Any], list[Any]], list[Any]]


def meta(call: Call) -> bytes:
    """The meta of the resource, or of a version of it, as a read shows it."""
    return _answer(call.resource().get("meta"))


def meta_add(call: Call) -> bytes:
    """What is there already, by system and code, stays as it is."""
    return _changed(call, lambda held, sent: _once([*held, *sent]))


def meta_delete(call: Call) -> bytes:
    """It is no error where what is to go is not there."""
    return _changed(call, lambda held, sent: [one for one in held if _identity(one) not in map(_identity, sent)])


def _changed(call: Call, change: Change) -> bytes:
    if not ID.match(call.id):
        raise Problem("value", "An id has 1 to 64 letters, digits, '-' and '.'", "id")
    sent = _sent(call.given["meta"])

    def patch(resource: Resource) -> Resource:
        held = dict(resource.get("meta", {}))
        for name in LISTS:
            if name in sent:
                held[name] = change(held.get(name, []), sent[name])
        return {**resource, "meta": {name: value for name, value in held.items() if value}}

    entry = single("PATCH", call.type, id=call.id, patch=patch, if_match=call.if_match)
    audit = riding(call.audit, [entry], call.access)
    (result,) = call.transactions.commit([entry], call.access, audit=audit)
    if call.audit:
        call.audit.committed()
    left = one(call.connection, call.access, result.stored, call.base) if result.stored else None
    body = left.body if left else None
    return _answer(json.stored(body).get("meta") if body else None)


def _answer(found: Any) -> bytes:
    said: Resource = {"resourceType": "Parameters"}
    return json.write(said | ({"parameter": [{"name": "return", "valueMeta": found}]} if found else {}))


def _sent(found: Resource) -> dict[str, list[Any]]:
    """The lists of a meta; that their elements are codings and URLs is checked with the resource."""
    others = [name for name in found if name not in (*LISTS, *THE_SERVERS)]
    if others:
        raise Problem("not-supported", "Profiles, tags and security labels are added and deleted", "meta")
    lists = {name: found[name] for name in LISTS if name in found}
    for name, items in lists.items():
        kind = str if name == "profile" else dict
        if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
            raise Problem("structure", f"meta.{name} is a list", f"meta.{name}")
    return lists


def _identity(one: Any) -> Any:
    return one if isinstance(one, str) else (one.get("system"), one.get("code"))


def _once(items: Sequence[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(repr(_identity(item)), item)
    return list(found.values())


_META = (Parameter("meta", "Meta", required=True),)
ROWS = (
    Operation("meta", f"{DEFINITION}meta", ("instance", "version"), meta),
    Operation("meta-add", f"{DEFINITION}meta-add", ("instance",), meta_add, parameters=_META, affects=True),
    Operation(
        "meta-delete", f"{DEFINITION}meta-delete", ("instance",), meta_delete, parameters=_META, affects=True
    ),
)
