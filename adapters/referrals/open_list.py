"""What a provider without FHIR is asked, as a CSV that it answers with another one.

Rules: docs/referrals.md "Answers by file"; docs/access.md: all of it is read with the provider's Access and passes
hub.leaving, so the role ilos-provider, its relations, labels and consents decide; 42 CFR 2.32(a)(1): the notice
travels with each row that leaves under Part 2. `tell` records a disclosure before it happens, and raises where it
cannot.
The columns are the facts of the page (hub.referrals.link_facts): one table for both.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection

from adapters.files.spreadsheet_out import neutral
from hub.access import Access
from hub.referrals import link_facts
from hub.referrals.answer_words import legal_words
from hub.referrals.moving import legal_of
from hub.referrals.shown_rows import contents, shown_rows
from hub.referrals.terms import OVER, STATUSES, is_referral
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.read import Stored

PAGE = 200
OPEN = ",".join(status for status in STATUSES if status not in OVER)
# column -> the label of the fact
FACTS = {
    "service": "What is asked",
    "priority": "Priority",
    "asked_by": "Asked by",
    "asked_on": "Asked on",
    "name": "Who it is for",
    "born": "Born",
    "contact": "Telephone and mail",
    "address": "Address",
    "language": "Language",
    "reason": "Reason that was given",
    "changed": "Last change",
    "notice": "Notice",
}
HEADER = ("task", "status", "answers", *FACTS)
Tell = Callable[[Sequence[Stored]], None]


def open_referrals(
    connection: Connection, access: Access, organization: str, base: str, tell: Tell
) -> tuple[bytes, int]:
    """The file, and how many referrals it names. `organization` is the provider's reference. Raises Problem."""
    out, count = io.StringIO(), 0
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for rows in _referrals(connection, access, organization, base):
        tell(rows)
        writer.writerow([neutral(cell) for cell in _row(rows, access, base)])
        count += 1
    return out.getvalue().encode(), count


def _referrals(connection: Connection, access: Access, organization: str, base: str) -> Iterator[list[Stored]]:
    query = parse("Task", [("owner", organization), ("status", OPEN)], Limits(base=base))
    after: Sequence[int] = ()
    while page := read.page(connection, access, query, after, PAGE):
        after = read.position(page[-1])
        for one in page:
            rows = shown_rows(connection, access, one.id, base)
            if rows and is_referral(contents(rows[:1])[f"Task/{one.id}"]):
                yield rows


def _row(rows: list[Stored], access: Access, base: str) -> Iterator[str]:
    resources = contents(rows)
    task = next(iter(resources.values()))
    facts = {fact.label: fact.text for fact in link_facts.facts(resources)}
    yield rows[0].id
    yield str(task.get("status"))
    yield legal_words(one.to for one in legal_of(access, task, rows[0].source, base))
    yield from (facts.get(label, "") for label in FACTS.values())
