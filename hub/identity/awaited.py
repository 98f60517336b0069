"""A merge that a source tells of and that cannot be done, for nobody brought the number that goes: a Task tells a
person, until the number comes.

Rules: docs/identity.md "Merges of a source"; bad-input.md V21 (hold and review). There is one Task for a
message; it names the member of the number that remains, if that is known, and the message, never a number.
Refuses: nothing. A Task that a person has ended stays as it is.
"""

from uuid import NAMESPACE_URL, uuid5

from hub.access import Access
from hub.fhir import json
from hub.fhir.systems import OWN
from hub.identity.desk import Desk, Resource
from hub.identity.review import task
from hub.store import read
from hub.transactions import single

ACCESS = Access.system("identity review")
OPEN = ("requested", "accepted", "in-progress", "on-hold")
MERGED = {"text": "The number came; the merge was looked at again"}


def ask(desk: Desk, message: int, name: str, member: str) -> None:
    """`message` is its place in the inbox, `name` its feed and control id; `member` may be empty."""
    if read.current(desk.connection, ACCESS, "Task", _id(message)) is None:
        because = f"A source merges a number that nobody has brought; {name} waits for it"
        made = task(_id(message), [member] if member else [], because, desk.now)
        desk.transactions.commit([single("PUT", "Task", id=made["id"], resource=made)], ACCESS)


def end(desk: Desk, message: int) -> None:
    """The number is there: nobody need look any more."""
    found = _open_task(desk, message)
    if found is not None:
        done = {**found, "status": "completed", "statusReason": MERGED}
        desk.transactions.commit([single("PUT", "Task", id=found["id"], resource=done)], ACCESS)


def _open_task(desk: Desk, message: int) -> Resource | None:
    found = read.current(desk.connection, ACCESS, "Task", _id(message))
    content = json.stored(found.body) if found and found.body else {}
    return content if content.get("status") in OPEN else None


def _id(message: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"{OWN}identity-awaited/{message}"))
