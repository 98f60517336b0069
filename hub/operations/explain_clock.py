"""Task/[id]/$explain-clock: why a clock of a referral is due when it is (docs/clocks.md).

Rules: the hub's own operation. Who reads the clock's Task may ask; what is answered tells what that Task tells, and
how it was counted.
Refuses: a Task that is no clock (422), a hub without referrals (400).
"""

from hub.fhir import json
from hub.fhir.systems import OWN
from hub.operations.call import Call, Operation
from hub.problems import Problem


def explain_clock(call: Call) -> bytes:
    """A Parameters resource."""
    if call.engines.clocks is None:
        raise Problem("not-supported", "This hub keeps no clocks")
    return json.write(call.engines.clocks(call.connection, call.resource(), call.now()))


ROWS = (
    Operation(
        "explain-clock", f"{OWN}OperationDefinition/Task-explain-clock", ("instance",), explain_clock, ("Task",)
    ),
)
