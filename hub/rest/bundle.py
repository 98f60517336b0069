"""batch and transaction. https://hl7.org/fhir/R4/http.html#transaction

A transaction is one commit, its GETs inside it; a batch is its entries one by one, each with its own answer.
`_format` and `_pretty` of an entry are left out: the Bundle is written in one format, the one asked for with it.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from sqlalchemy import Connection

from hub.access import Access
from hub.audit.recorder import riding
from hub.fhir import json
from hub.fhir.bundles import Entry, entries_of, prepared, refuse_many
from hub.problems import Problem
from hub.rest import rendering
from hub.rest.asked import Answer, Asked, problem_answer
from hub.rest.faults import as_problem
from hub.rest.hub import Hub
from hub.rest.operations import operation
from hub.rest.read import read, vread
from hub.rest.search import search_type
from hub.rest.write import check_conditions, told
from hub.transactions import INTERACTION

AUDIT = "AuditEvent"  # neither stored nor read together with others (hub.rest.audit_events)
REASONS = {200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified"}


def bundle(hub: Hub, asked: Asked, access: Access) -> Answer:
    """The response Bundle, entries in the order of the request."""
    check_conditions(asked, "transaction")
    asked.no_parameters()
    refuse_many(asked.body, hub.most_entries)
    sent = asked.resource()
    if sent.get("resourceType") != "Bundle":
        raise Problem("invalid", "The base takes a Bundle", "resourceType")
    entries = entries_of(sent, hub.most_entries)
    if any(entry.type == AUDIT for entry in entries):
        raise Problem("not-supported", f"A Bundle does not hold requests for {AUDIT}", "Bundle.entry")
    if issues := list(hub.shell(sent)):
        raise Problem.of(issues)
    process = _transaction if sent["type"] == "transaction" else _batch
    answers = process(hub, asked, access, entries)
    done: dict[str, Any] = {"resourceType": "Bundle", "type": f"{sent['type']}-response"}
    outcomes = asked.prefer("return") == "OperationOutcome"
    if entries:
        pairs = zip(entries, answers, strict=True)
        done["entry"] = [_entry(answer, outcomes and entry.method in INTERACTION) for entry, answer in pairs]
    return Answer(200, json.write(done))


def _transaction(hub: Hub, asked: Asked, access: Access, entries: list[Entry]) -> list[Answer]:
    writes: list[Entry] = []
    answers: dict[int, Answer] = {}
    for entry in (entry for entry in entries if entry.method in INTERACTION):
        try:
            writes.append(prepared(entry))
        except Problem as problem:
            raise problem.within(f"Bundle.entry[{entry.place}]") from None

    def reads(connection: Connection) -> None:
        for entry in entries:
            if entry.method not in INTERACTION:
                try:
                    answers[entry.place] = _read(hub, connection, asked, access, entry)
                except Problem as problem:
                    raise problem.within(f"Bundle.entry[{entry.place}]") from None

    audit = riding(asked.audit, writes, access)
    results = hub.transactions.commit(writes, access, inside=reads, many=True, audit=audit)
    if asked.audit:
        asked.audit.told(entries, [answers.get(entry.place) for entry in entries])
    for entry, result in zip(writes, results, strict=True):
        answers[entry.place] = told(hub, asked, access, result)
    return [answers[entry.place] for entry in entries]


def _batch(hub: Hub, asked: Asked, access: Access, entries: list[Entry]) -> list[Answer]:
    answers = [_alone(hub, asked, access, entry) for entry in entries]
    if asked.audit:
        pairs = zip(entries, answers, strict=True)
        asked.audit.told(entries, [None if _went_along(*pair) else pair[1] for pair in pairs])
    return answers


def _went_along(entry: Entry, answer: Answer) -> bool:
    """Its record was written with it."""
    return entry.method in INTERACTION and answer.status < 400


def _alone(hub: Hub, asked: Asked, access: Access, entry: Entry) -> Answer:
    try:
        if entry.method in INTERACTION:
            entry = prepared(entry)
            (result,) = hub.transactions.commit([entry], access, audit=riding(asked.audit, [entry], access))
            return told(hub, asked, access, result)
        with hub.database.read() as connection:
            return _read(hub, connection, asked, access, entry)
    except Exception as error:  # what befell one entry is that entry's answer; others are stored already
        return problem_answer(as_problem(error))


def _read(hub: Hub, connection: Connection, asked: Asked, access: Access, entry: Entry) -> Answer:
    """A GET of a Bundle: read, vread, search or an operation."""
    if entry.method != "GET":
        raise Problem("not-supported", f"{entry.method} inside a Bundle is not supported here")
    query = rendering.without(entry.query) if rendering.mentions(entry.query) else entry.query
    pairs = parse_qsl(query, keep_blank_values=True)
    one = Asked(
        "GET",
        entry.type,
        entry.id,
        entry.version,
        pairs,
        query,
        {"prefer": asked.headers.get("prefer", ""), "if-none-match": entry.if_none_match},
    )
    if entry.operation:
        return operation(hub, connection, replace(one, operation=entry.operation), access, in_bundle=True)
    if not entry.id:
        return search_type(hub, connection, one, access)
    return (vread if entry.version is not None else read)(hub, connection, one, access)


def _entry(answer: Answer, outcome: bool) -> dict[str, Any]:
    response: dict[str, Any] = {"status": f"{answer.status} {REASONS.get(answer.status, '')}".strip()}
    if "Location" in answer.headers:
        response["location"] = answer.headers["Location"]
    if "ETag" in answer.headers:
        response["etag"] = answer.headers["ETag"]
    if answer.status >= 400 or (outcome and answer.body):
        return {"response": response | {"outcome": msgspec.Raw(answer.body)}}
    entry: dict[str, Any] = {}
    if answer.body:
        entry["resource"] = msgspec.Raw(answer.body)
    return entry | {"response": response}
