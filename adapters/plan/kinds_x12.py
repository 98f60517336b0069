"""The kinds of X12 files that the plan sends: 834 (who is a member) and 837 (what was done for members)."""

from typing import Any

from adapters.plan import x12_834, x12_837
from adapters.plan.x12_answers import answers
from fhir_mappings.plan import x12_834 as members
from fhir_mappings.plan import x12_837 as claims
from fhir_mappings.plan.x12_tables import has_code
from hub.feeds.kinds import FileKind

COMMON: dict[str, Any] = {"has_code": has_code, "answers": answers}
FILE_KINDS_X12 = (
    FileKind("plan-834", "plan", x12_834.read, members.said, members.about, members.resources, **COMMON),
    FileKind("plan-837", "plan", x12_837.read, claims.said, claims.about, claims.resources, **COMMON),
)
