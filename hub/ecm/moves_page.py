"""docs/ecm-moves.md, printed from the table that decides.

python -m hub.ecm.moves_page > docs/ecm-moves.md
"""

from collections.abc import Iterator

from hub.ecm.moves import HUB, LEAD, MOVES, PROVIDER, REASON
from hub.ecm.terms import STATUSES
from hub.moves import NEW, Move

WHO = {
    PROVIDER: "a client whose organization is the episode's `managingOrganization`",
    HUB: "the hub itself, for what files of the plan and of providers say; and the custodian's loads",
}
NEEDS = {LEAD: "`careManager`", REASON: "the extension `discontinuation-reason`"}
HEAD = """# Moves of an enrolment in ECM

An enrolment is an EpisodeOfCare whose `type` has the code `ecm` of
`https://calaim-hub.example/fhir/CodeSystem/calaim-program` ([ecm.md](ecm.md)). Its status moves as the table says,
whichever way it is written: create, update, patch, transaction, import. Anything else is answered 422 with the
moves that are legal for who asks. The table is `hub/ecm/moves.py`; this page is printed from it
(`python -m hub.ecm.moves_page`).
"""
REST = """## What else holds

- Who gives the reason `lower-level` says to which level of care management the member goes: the extension
  `lower-level-of-care-management`, in words or with a configured code.
- Reasons and levels with a code of the hub's systems must be configured (`HUB_TERMINOLOGY_DIR`, tables
  `codes/ecm-discontinuation-reason.csv` and `codes/care-management-level.csv`).
- `patient`, `managingOrganization`, the type and the numbers that it has stay. Another provider is another
  enrolment.
- An enrolment is not deleted by a client: it is cancelled, finished, or marked `entered-in-error`.
- `statusHistory` is the hub's: a client may say since when the status that it brings holds, in a last entry without
  an end, on a day between the former one's and today; what was before stays. Where it ends, so does `period`.
- A plan's list that names the member again changes nothing of how far it came. It opens an enrolment that is over
  only where nobody said why it ended, or where its period begins after that.
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
        theirs = [one for one in moves if PROVIDER in one.who]
        alone = ", ".join(one.to for one in moves if PROVIDER not in one.who)
        yield f"## {'A new one' if status == NEW else f'From {status}'}\n"
        if theirs:
            yield from ("| to | who may | needs | what it means |", "| --- | --- | --- | --- |", *map(_row, theirs))
            yield ""
        yield f"The hub alone, where a file or a load says so: {alone}.\n"


def _row(one: Move) -> str:
    needs = ", ".join(NEEDS[need] for need in one.needs) or "-"
    return f"| {one.to} | {', '.join(one.who)} | {needs} | {one.meaning} |"


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
