"""The kinds of tables that go between plan and providers (docs/plan-workbooks.md)."""

from adapters.plan.workbook_codes import Resources, has_code, with_words, worded
from adapters.plan.workbook_rows import reader
from fhir_mappings.plan import workbook_assignment, workbook_authorization, workbook_person, workbook_return
from hub.feeds.kinds import FileKind
from hub.feeds.records import Said, Subject

# whose own record a person is by default: the plan's lists, or what providers report
PLAN, PROVIDER = "plan_lists", "plan_reports"


def _said(subject: Subject) -> Said | None:
    """Raises Unmapped, Waiting."""
    return workbook_person.said(worded(subject)) if subject.key.startswith("member/") else None


def _about(subject: Subject) -> str | None:
    return None


NEEDS = {
    "provider": "the ECM or Community Supports provider of all rows: Organization/ID, or its NPI",
    "plan": "the health plan, where it is not who sends the file: Organization/ID, or its NPI",
    "mrn_system": "the URI of the plan's record numbers; the same for all feeds of one plan",
    "authorization_system": "the URI of the plan's authorization numbers; the same for all feeds of one plan",
    "owner": "true: this file's word makes the Patient that everybody sees",
    "list": "whole: members whom a file does not name are gone",
    "community_support": "which Community Support the file is about, as in fhir_mappings/plan/code_tables",
}

# word of `hub load` -> whose, what it becomes
_KINDS: tuple[tuple[str, str, Resources], ...] = (
    ("mif", PLAN, workbook_assignment.resources),
    ("asf", PLAN, workbook_authorization.resources),
    ("eligibility", PLAN, workbook_assignment.resources),
    ("activity", PLAN, workbook_return.ecm),
    ("rtf", PROVIDER, workbook_return.ecm),
    ("otf", PROVIDER, workbook_return.outreach),
    ("cs-rtf", PROVIDER, workbook_return.community_support),
)

FILE_KINDS_WORKBOOKS = tuple(
    FileKind(name, whose, reader(name), _said, _about, with_words(resources), NEEDS, has_code)
    for name, whose, resources in _KINDS
)
