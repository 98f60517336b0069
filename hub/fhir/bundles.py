"""Batch and transaction Bundles: their entries as requests, and answers as entries.

Rules: https://hl7.org/fhir/R4/http.html#transaction and https://hl7.org/fhir/R4/bundle.html
Refuses: a type that is not batch or transaction, entries without request or resource (`required`), Bundles
within, URLs that leave the server (`value`), too many entries (413).
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import msgspec

from hub.fhir.types import resource_types
from hub.problems import Problem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ETAG = re.compile(r'^(?:W/)?"([0-9]{1,9})"\Z')
ID = re.compile(r"^[A-Za-z0-9.\-]{1,64}\Z")
LARGE = 1 << 18  # bytes: smaller bodies cost little, whatever is in them
Patch = Callable[[dict[str, Any]], dict[str, Any]]  # may change the resource it is given; raises Problem


@dataclass(frozen=True, slots=True)
class Entry:
    """One interaction. `query` is the part behind `?`; `place` is where it stood in the Bundle. A PATCH has its
    `patch` (see `prepared`) and no resource. `person`: the source person that it came with, where entries of one
    commit came with several (hub.access.Access names the one of all others)."""

    method: str
    type: str
    id: str = ""
    version: int | None = None
    query: str = ""
    resource: dict[str, Any] | None = None
    full_url: str = ""
    if_match: int | None = None
    if_none_exist: str = ""
    if_none_match: str = ""
    place: int = 0
    patch: Patch | None = None
    person: int = 0
    operation: str = ""  # of a GET: `Patient/1/$everything`, without the sign
    trace: str = ""  # the traceparent of what brought it (hub.tracing)


def etag_version(text: Any, where: str = "If-Match") -> int | None:
    """The version in `W/"3"`; None where nothing was sent. Raises Problem(`value`)."""
    if text is None:
        return None
    found = ETAG.match(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise Problem("value", 'If-Match takes one ETag such as W/"3"', where)
    return int(found[1])


def none_exist(text: Any, where: str = "If-None-Exist") -> str:
    """The condition of a create; empty where none was sent, which is None. Raises Problem(`invalid`) where what was
    sent asks nothing: the client does not expect a create whatever is there."""
    if text is None:
        return ""
    found = _text(text, where).lstrip("?")
    if not found.strip():
        raise Problem("invalid", "The condition of a conditional create is empty", where)
    return found


def etag(version: int) -> str:
    return f'W/"{version}"'


class _Shell(msgspec.Struct):
    entry: list[msgspec.Raw] = []


_shell = msgspec.json.Decoder(_Shell).decode


def refuse_many(body: bytes, most: int) -> None:
    """A large body of JSON with too many entries, before it is read: read, it costs memory ten times its size.
    Raises Problem; what is no Bundle at all is told by who reads it."""
    if len(body) < LARGE:
        return
    with suppress(msgspec.MsgspecError, RecursionError):
        if len(_shell(body).entry) > most:
            raise _too_many(most)


def _too_many(most: int) -> Problem:
    return Problem("too-many", f"A Bundle has at most {most} entries", "Bundle.entry")


def entries_of(bundle: dict[str, Any], most: int) -> list[Entry]:
    """The requests of a batch or transaction. Raises Problem."""
    found = bundle.get("entry", [])
    if bundle.get("type") not in ("batch", "transaction"):
        raise Problem("invalid", "The base takes a Bundle of type batch or transaction", "Bundle.type")
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise Problem("structure", "Bundle.entry is a list of objects", "Bundle.entry")
    if len(found) > most:
        raise _too_many(most)
    return [entry_of(entry, place) for place, entry in enumerate(found)]


def entry_of(entry: dict[str, Any], place: int) -> Entry:
    where = f"Bundle.entry[{place}]"
    request = entry.get("request")
    if not isinstance(request, dict) or not {"method", "url"} <= request.keys():
        raise Problem("required", "An entry has a request with method and url", f"{where}.request")
    method, url = request["method"], request["url"]
    if method not in METHODS or not isinstance(url, str):
        raise Problem("value", f"request.method is one of {' '.join(METHODS)}", f"{where}.request.method")
    resource = _resource(method, entry.get("resource"), where)
    path, _, query = url.partition("?")
    path, operation = _operation(method, path, where)
    resource_type, identity, version = _parts(path, where) if path or not operation else ("", "", None)
    if not operation:
        _check_address(method, identity, version, query, where)
    _check_conditions(method, request, where)
    return Entry(
        method,
        resource_type,
        identity,
        version,
        query,
        resource,
        _text(entry.get("fullUrl"), where),
        etag_version(request.get("ifMatch"), f"{where}.request.ifMatch"),
        none_exist(request.get("ifNoneExist"), f"{where}.request.ifNoneExist"),
        _text(request.get("ifNoneMatch"), where),
        place,
        operation=operation,
    )


def _text(value: Any, where: str) -> str:
    if value is not None and not isinstance(value, str):
        raise Problem("structure", "A text was expected", where)
    return value or ""


def _resource(method: str, resource: Any, where: str) -> dict[str, Any] | None:
    """The resource of a POST, PUT or PATCH; other methods have none, whatever was sent along."""
    if method not in ("POST", "PUT", "PATCH"):
        return None
    if not isinstance(resource, dict):
        raise Problem("required", f"{method} needs a resource", f"{where}.resource")
    return resource


def _check_address(method: str, identity: str, version: int | None, query: str, where: str) -> None:
    """A write has one address: POST the type, others the type with an id or with a condition. What a GET may have
    behind its `?` the interaction itself decides."""
    if method == "GET":
        return
    fine = version is None and (not identity and not query if method == "POST" else bool(identity) != bool(query))
    if not fine:
        raise Problem("value", f"request.url does not fit {method}", f"{where}.request.url")


def _check_conditions(method: str, request: dict[str, Any], where: str) -> None:
    """Conditions that are not looked at must not be left out in silence: the client counts on them."""
    looked_at = {"GET": {"ifNoneMatch"}, "POST": {"ifNoneExist"}}.get(method, {"ifMatch"})
    sent = {"ifMatch", "ifNoneMatch", "ifModifiedSince", "ifNoneExist"} & request.keys()
    if others := sorted(sent - looked_at):
        raise Problem("not-supported", f"{others[0]} is not supported on {method}", f"{where}.request.{others[0]}")


def prepared(entry: Entry) -> Entry:
    """The entry, its patch understood. A batch or transaction inside another is not processed. Raises Problem."""
    if entry.resource and entry.resource.get("resourceType") == "Bundle":
        raise Problem("not-supported", "A Bundle inside a batch or transaction is not processed")
    if entry.method != "PATCH" or entry.resource is None:
        return entry
    from hub.fhir.patches import of_resource

    return replace(entry, resource=None, patch=of_resource(entry.resource))


def _operation(method: str, path: str, where: str) -> tuple[str, str]:
    """A path without its `$operation`, and that. Inside a Bundle operations are asked by GET only."""
    before, _, last = path.rpartition("/")
    name = unquote(last)
    if not name.startswith("$"):
        return path, ""
    if method != "GET":
        raise Problem("value", "An operation inside a Bundle is called by GET", f"{where}.request.method")
    return before, name[1:]


def _parts(path: str, where: str) -> tuple[str, str, int | None]:
    """`Type`, `Type/id` or `Type/id/_history/n`."""
    parts = unquote(path).split("/")
    fine = len(parts) in (1, 2, 4) and re.fullmatch(r"[A-Z][A-Za-z]+", parts[0]) is not None
    if fine and parts[0] not in resource_types():
        raise Problem("unknown-type", "There is no such resource type in FHIR R4", f"{where}.request.url")
    fine = fine and (len(parts) < 2 or ID.match(parts[1]) is not None)
    if len(parts) == 4:
        fine = fine and parts[2] == "_history" and parts[3].isdecimal() and len(parts[3]) < 10
    if not fine:
        raise Problem("value", "request.url is Type, Type/id or Type/id/_history/n", f"{where}.request.url")
    return parts[0], parts[1] if len(parts) > 1 else "", int(parts[3]) if len(parts) == 4 else None
