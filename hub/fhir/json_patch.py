"""JSON Patch (RFC 6902) of a resource; the library jsonpatch applies it, here are its rules and limits.

Rules: https://hl7.org/fhir/R4/http.html#patch, https://www.rfc-editor.org/rfc/rfc6902
Refuses: what is no list of operations (`structure`), more than MOST_OPERATIONS (413), a path that is not there
(`processing`, 422), a test that fails (`conflict`, 422), copies that swell the resource (413).
Texts name the operation, never what it holds.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from hub.fhir import json
from hub.fhir.bundles import Patch
from hub.problems import Problem

MEDIA_TYPE = "application/json-patch+json"
MOST_OPERATIONS = 1000
MOST_COPIED_BYTES = 4 << 20  # by all operations together: each copy may double what the next one copies
# operation -> what it needs besides op and path
MEMBERS: Mapping[str, frozenset[str]] = {
    "add": frozenset(("value",)),
    "remove": frozenset(),
    "replace": frozenset(("value",)),
    "move": frozenset(("from",)),
    "copy": frozenset(("from",)),
    "test": frozenset(("value",)),
}


def parse(operations: Any) -> Patch:
    """A list of operations as what it does to a resource. Raises Problem."""
    if not isinstance(operations, list):
        raise Problem("structure", "A JSON Patch is a list of operations")
    if len(operations) > MOST_OPERATIONS:
        raise Problem("too-many", f"A patch has at most {MOST_OPERATIONS} operations")
    for place, operation in enumerate(operations):
        _check(operation, place)
    return partial(_apply, operations)


def _check(operation: Any, place: int) -> None:
    name = operation.get("op") if isinstance(operation, dict) else None
    if not isinstance(name, str) or name not in MEMBERS:
        raise Problem("structure", f"Operation {place} has no op of {', '.join(MEMBERS)}")
    texts = {"path"} | (MEMBERS[name] & {"from"})
    if not all(isinstance(operation.get(text), str) for text in texts) or not MEMBERS[name] <= operation.keys():
        raise Problem("structure", f"Operation {place} ({name}) needs {', '.join(sorted(MEMBERS[name] | texts))}")


def _apply(operations: list[dict[str, Any]], resource: dict[str, Any]) -> dict[str, Any]:
    from jsonpatch import JsonPatchException, JsonPatchTestFailed, apply_patch
    from jsonpointer import JsonPointerException

    copied = 0
    found: Any = resource
    for place, operation in enumerate(operations):
        try:
            copied += _copied(found, operation)
            if copied > MOST_COPIED_BYTES:
                raise Problem("too-long", f"The patch copies more than {MOST_COPIED_BYTES} bytes")
            found = apply_patch(found, [operation], in_place=True)
        except JsonPatchTestFailed:
            raise Problem("test-failed", f"Operation {place}: the test fails") from None
        except (JsonPatchException, JsonPointerException):
            name = operation["op"]
            raise Problem("processing", f"Operation {place} ({name}): the path is not there") from None
    if not isinstance(found, dict):
        raise Problem("processing", "The patch leaves no resource")
    return found


def _copied(found: Any, operation: dict[str, Any]) -> int:
    """How many bytes a copy adds."""
    if operation["op"] != "copy":
        return 0
    from jsonpointer import resolve_pointer

    return len(json.write(resolve_pointer(found, operation["from"])))
