"""What becomes of a subject -> the entries of its transaction. Pure.

Rules: https://hl7.org/fhir/R4/http.html#transaction (conditional updates and references); docs/feeds.md
"Provenance": each resource says by a Provenance which file and line it came from.
Refuses (ValueError, the mapping's fault): a resource without an identifier of its own, two with one identifier.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from hub.feeds.records import Feed, Kept, Resource
from hub.fhir.bundles import Entry
from hub.fhir.conditional import full_url, query
from hub.rights.label_table import is_confidentiality

AGENT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
LINES = 100  # named by one Provenance


def entries(feed: Feed, resources: Sequence[Resource], person: int) -> list[Entry]:
    """Conditional updates; references between these resources lead to their fullUrl."""
    made = [_entry(feed, resource, person) for resource in resources]
    urls = {f"{entry.type}?{entry.query}": entry.full_url for entry in made}
    if len(urls) != len(made):
        raise ValueError(f"{feed.kind}: two resources of a subject have one identifier")
    return [_led(entry, urls) for entry in made]


def _entry(feed: Feed, resource: Resource, person: int) -> Entry:
    kind = resource["resourceType"]
    system, value = _own(feed, resource)
    url = full_url(system, kind, value)
    return Entry(
        "PUT", kind, query=query(system, value), resource=told(feed, resource), full_url=url, person=person
    )


def _own(feed: Feed, resource: Resource) -> tuple[str, str]:
    found = resource.get("identifier") or [{}]
    first = found[0] if isinstance(found, list) else found  # Composition, QuestionnaireResponse and Bundle have one
    if not first.get("system") or not first.get("value"):
        raise ValueError(f"{feed.kind}: a {resource['resourceType']} has no identifier of its own")
    return first["system"], first["value"]


def told(feed: Feed, resource: Resource) -> Resource:
    """With the feed's name and labels."""
    found = labelled(feed, resource)
    return {**found, "meta": {"source": feed.system, **found.get("meta", {})}}


def labelled(feed: Feed, resource: Resource) -> Resource:
    """With the feed's labels, if it has some."""
    if not feed.security:
        return resource
    meta = resource.get("meta", {})
    labels = list(meta.get("security", ()))
    labels += [dict(one) for one in feed.security if one not in labels]
    return {**resource, "meta": {**meta, "security": labels}}


def _led(entry: Entry, urls: Mapping[str, str]) -> Entry:
    if entry.resource is not None:
        _lead(entry.resource, urls)
    return entry


def _lead(node: Any, urls: Mapping[str, str]) -> None:
    if isinstance(node, dict):
        if isinstance(there := node.get("reference"), str) and there in urls:
            node["reference"] = urls[there]
        for value in node.values():
            _lead(value, urls)
    elif isinstance(node, list):
        for value in node:
            _lead(value, urls)


def labels_of(resources: Sequence[Mapping[str, Any]]) -> list[Resource]:
    """All that is sensitive about these; how much, the store says itself."""
    codings = (one for resource in resources for one in resource.get("meta", {}).get("security", ()))
    found = {(one.get("system"), one.get("code")): dict(one) for one in codings if not is_confidentiality(one)}
    return list(found.values())


def provenance(
    feed: Feed,
    rows: Sequence[Kept],
    targets: Sequence[str],
    key: str,
    recorded: str,
    organization: Resource,
    labels: Sequence[Resource] = (),
) -> Entry:
    """`rows` are those that say something new; `key` names what they say, so that saying it again is the same.
    `labels`: it names the source, and so tells as much as what the source says."""
    identity = str(uuid5(NAMESPACE_URL, f"{feed.system}|provenance|{key}"))
    said: Resource = {
        "resourceType": "Provenance",
        "id": identity,
        **({"meta": {"security": list(labels)}} if labels else {}),
        "target": [{"reference": target} for target in targets],
        "recorded": recorded,
        "agent": [
            {"type": {"coding": [{"system": AGENT_TYPE, "code": "author"}]}, "who": organization},
        ],
        "entity": [{"role": "source", "what": {"identifier": _place(feed, row)}} for row in rows[:LINES]],
    }
    return Entry("PUT", "Provenance", id=identity, resource=told(feed, said))


def _place(feed: Feed, row: Kept) -> Mapping[str, str]:
    part = f"/{row.part}" if row.part else ""
    return {"system": f"{feed.system}/file", "value": f"{row.file}{part}#{row.line}"}


def references(made: Sequence[Entry]) -> Iterator[str]:
    """What refers to these entries."""
    return (entry.full_url or f"{entry.type}/{entry.id}" for entry in made)
