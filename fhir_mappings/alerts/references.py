"""References inside a message: its resources by their fullUrl.

Rules: https://hl7.org/fhir/R4/bundle.html#references: an absolute reference (urn:uuid: too) is an entry's fullUrl,
a relative one the end of a RESTful fullUrl.
Refuses: two entries with one fullUrl (`duplicate`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.problems import Problem

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entries:
    """`by_url`: fullUrl -> resource."""

    by_url: Mapping[str, Resource]

    @classmethod
    def of(cls, bundle: Resource) -> "Entries":
        """Raises Problem."""
        found: dict[str, Resource] = {}
        for place, entry in enumerate(bundle.get("entry", ())):
            url = entry.get("fullUrl", "")
            if url in found and url:
                raise Problem("duplicate", "Two entries have this fullUrl", f"Bundle.entry[{place}].fullUrl")
            found[url or f"#{place}"] = entry.get("resource", {})
        return cls(found)

    def find(self, reference: Any, *kinds: str) -> Resource | None:
        """What a Reference means, if it is in the message and of one of these types."""
        text = reference.get("reference", "") if isinstance(reference, Mapping) else ""
        found = self._named(text) if text else None
        return found if found is not None and found.get("resourceType") in kinds else None

    def _named(self, text: str) -> Resource | None:
        if text in self.by_url:
            return self.by_url[text]
        ends = [one for url, one in self.by_url.items() if url.endswith(f"/{text}")]
        return ends[0] if len(ends) == 1 else None

    def of_type(self, kind: str) -> Iterator[Resource]:
        return (one for one in self.by_url.values() if one.get("resourceType") == kind)
