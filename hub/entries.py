"""An entry by itself: whether its body and its address agree, and which one a problem is about.

Rules: https://hl7.org/fhir/R4/http.html#update (the body's type and id are the URL's)
Refuses: another type, another id or none, an id that is none, a PUT without id and condition.
"""

from hub.fhir.bundles import ID, Entry
from hub.problems import Problem


def check_identity(entry: Entry) -> None:
    """The body's type and id agree with the URL's (https://hl7.org/fhir/R4/http.html#update)."""
    resource = entry.resource or {}
    if resource.get("resourceType") != entry.type:
        raise Problem("invalid", f"The URL says {entry.type}, the body is another type", "resourceType")
    if entry.method == "PUT" and entry.id and resource.get("id") != entry.id:
        raise Problem("invalid", "The body's id is missing or not the URL's", f"{entry.type}.id")
    if entry.method == "PUT" and not (entry.id or entry.query):
        raise Problem("method", "PUT needs an id or a condition", headers={"Allow": "GET, POST"})
    if entry.id and not ID.match(entry.id):
        raise Problem("value", "An id has 1 to 64 letters, digits, '-' and '.'", f"{entry.type}.id")


class named:  # noqa: N801 - reads as a word at its call
    """Problems inside this block say which entry of the Bundle they are about."""

    def __init__(self, entry: Entry, many: bool):
        self._where = f"Bundle.entry[{entry.place}]" if many else ""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if self._where and isinstance(error, Problem):
            raise error.within(self._where) from None
