"""docs/moves.md, printed from the table that decides.

python -m hub.referrals.moves_page > docs/moves.md
"""

from collections.abc import Iterator

from hub.referrals.moves import ACTIVITY, HUB, MOVES, NEW, OPERATOR, OWNER, PLAN, REASON, REQUESTER, Move
from hub.referrals.terms import OVER, STATUSES

WHO = {
    REQUESTER: "whoever wrote the Task, or is its `requester`",
    OWNER: "its `owner`; of a Task without one whoever claims it, by writing itself into `owner`",
    PLAN: "a client of the role `plan` that sees the member",
    OPERATOR: "a client of the role `operator` that sees the member",
    HUB: "the hub itself, for what comes by the plan's API, by files, by a child Task; and the custodian's loads",
}
NEEDS = {REASON: "`statusReason.text`", ACTIVITY: "`output` of type `resulting-activity` that is a Procedure"}
HEAD = """# Moves of a referral

A referral is a Task of intent `order` and code `fulfill` (of `http://hl7.org/fhir/CodeSystem/task-code`) whose
`focus` is a ServiceRequest, as [Gravity SDOH Clinical Care](http://hl7.org/fhir/us/sdoh-clinicalcare/) has it; with
code `approve` the plan is asked to authorize it. Its status moves as the table says, whichever way it is written:
create, update, patch, transaction, import. Anything else is answered 422 with the moves that are legal for who
asks. The table is `hub/referrals/moves.py`; this page is printed from it (`python -m hub.referrals.moves_page`).
"""
REST = """## What else holds

- `requester`, `for`, `focus`, `partOf`, code and intent stay as they are. `owner` is changed by whoever
  referred, by the plan or an operator; whoever was asked hands it to nobody else.
- A referral is not deleted by a client: it is cancelled, or marked `entered-in-error`.
- What was done is an `output` with a Procedure that is here, or comes in the same transaction, and has the same
  member as `subject`. It stays in a Task that is `completed`.
- Of a Task that is over only `note`, `text`, `businessStatus` and `statusReason` change: a plan's return file tells
  the rest.
- Nobody assigns itself (`input` of type `assigned-provider`), and no client a person: an organization is assigned,
  by somebody else.
- Of what is `partOf` a referral the hub believes only what it made itself; a `focus` that is about another member
  counts as missing.
- `lastModified` is set by the hub where status, `businessStatus` or `statusReason` change and the client says no
  new one: plans are told it as the date of the referral status.
- A code of `https://calaim-hub.example/fhir/CodeSystem/referral-status` in `businessStatus`, and one of
  `.../referral-closure-reason` in `statusReason`, must be configured (`HUB_TERMINOLOGY_DIR`, tables
  `codes/referral-status.csv` and `codes/referral-closure-reason.csv`); DHCS' full lists are not public. Where
  `maps/referral-status-task-status.csv` says for which Task.status a referral status stands, they must agree.
- A file that says `requested` again of a Task that has moved on changes what it asks, and not how far it came.
"""


def page() -> str:
    return "\n".join((HEAD, *_parties(), *_table(), REST))


def _parties() -> Iterator[str]:
    yield "| party | who that is |"
    yield "| --- | --- |"
    yield from (f"| {party} | {who} |" for party, who in WHO.items())
    yield ""


def _table() -> Iterator[str]:
    for status in (NEW, *STATUSES):
        moves = [one for one in MOVES if one.source == status]
        yield f"## {'A new one' if status == NEW else f'From {status}'}\n"
        if not moves or status in OVER:
            yield "It is over.\n"
        if moves:
            yield from ("| to | who may | needs | what it means |", "| --- | --- | --- | --- |")
            yield from map(_row, moves)
            yield ""


def _row(one: Move) -> str:
    needs = ", ".join(NEEDS[need] for need in one.needs) or "-"
    return f"| {one.to} | {', '.join(one.who)} | {needs} | {one.meaning} |"


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
