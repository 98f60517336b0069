"""What a reference refers to, as far as the resource itself holds it: contained resources and Bundle entries.

Rules: https://hl7.org/fhir/R4/references.html#contained, /bundle.html#references
"""

import re
from typing import Any

Node = Any
_LITERAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9.\-]{1,64}(?:/_history/[^/]+)?$")


class Targets:
    """Finds targets in one resource tree."""

    def __init__(self, root: Node):
        self._found: dict[str, Node] = {}
        for entry in root.get("entry", ()) if root.get("resourceType") == "Bundle" else ():
            self._entry(entry)
        for inner in root.get("contained", ()):
            if isinstance(inner, dict):
                self._found.setdefault(f"#{inner.get('id')}", inner)

    def _entry(self, entry: Node) -> None:
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            return
        if "fullUrl" in entry:
            self._found.setdefault(entry["fullUrl"], resource)
        self._found.setdefault(f"{resource.get('resourceType')}/{resource.get('id')}", resource)

    def resolve(self, reference: str) -> Node | None:
        return self._found.get(reference)

    @staticmethod
    def type_in(reference: Node) -> str:
        """The type that the text of a reference names, or Reference.type."""
        found = _LITERAL.search(reference.get("reference", ""))
        return found[1] if found else str(reference.get("type", ""))
