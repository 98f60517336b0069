"""What a patch is, whatever language it is written in; and the patch that travels as a resource.

Rules: https://hl7.org/fhir/R4/http.html#patch: FHIRPath Patch is a Parameters resource; in a Bundle a JSON Patch
is a Binary with its media type and its base64 data.
Refuses: other resources (`invalid`), a Binary of another type (415), data that are no base64 (`value`).
"""

import binascii
from base64 import b64decode
from typing import Any

from hub.fhir import json
from hub.fhir.bundles import Patch
from hub.problems import Problem


def of_resource(resource: dict[str, Any]) -> Patch:
    """The patch in a Parameters or a Binary. Raises Problem."""
    kind = resource.get("resourceType")
    if kind == "Parameters":
        from hub.fhir import fhirpath_patch

        return fhirpath_patch.parse(resource)
    if kind == "Binary":
        return of_json(_data(resource))
    raise Problem("invalid", "A patch is a Parameters resource, or in a Bundle a Binary with a JSON Patch")


def of_json(body: bytes) -> Patch:
    """The patch in a JSON Patch document. Raises Problem."""
    from hub.fhir import json_patch

    return json_patch.parse(json.read_list(body))


def _data(binary: dict[str, Any]) -> bytes:
    from hub.fhir.json_patch import MEDIA_TYPE

    kind, data = binary.get("contentType"), binary.get("data")
    if not isinstance(kind, str) or kind.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Problem("media-type", f"The Binary of a PATCH has the contentType {MEDIA_TYPE}", "Binary.contentType")
    try:
        return b64decode("".join(data.split()), validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        raise Problem("value", "Binary.data is not base64", "Binary.data") from None


def without_empties(node: Any) -> Any:
    """A copy without the lists and objects that a patch left empty: in FHIR JSON they may not stand there.
    Beside a null (in a list of primitives) an empty one becomes null, so that the others keep their places."""
    if isinstance(node, dict):
        kept = ((name, without_empties(value)) for name, value in node.items())
        return {name: value for name, value in kept if value != {} and value != []}
    if isinstance(node, list):
        children = [without_empties(child) for child in node]
        if None in children:
            return [None if child == {} else child for child in children]
        return [child for child in children if child != {} and child != []]
    return node
