"""Who may begin a bulk job, and where: what $export and $import have in common.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#headers, #query-parameters (names of the format);
docs/bulk.md
Refuses: no `Prefer: respond-async` (`required`), tokens of people and of members' apps (`forbidden`).
"""

from hub.bulk.desk import Desk
from hub.operations.call import Call
from hub.problems import Problem

NDJSON = ("application/fhir+ndjson", "application/ndjson", "ndjson")


def desk_of(call: Call) -> Desk:
    """Where the job is begun. Raises Problem."""
    desk, access = call.engines.bulk, call.access
    if desk is None:
        raise Problem("not-supported", "This hub has no bulk data")
    if not call.respond_async:
        raise Problem("required", f"${call.operation} needs the header Prefer: respond-async", "Prefer")
    if access.user or access.sight.patient or access.sight.self_only:
        raise Problem("forbidden", f"${call.operation} is for backend services: system scopes")
    return desk
