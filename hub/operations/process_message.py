"""$process-message: a FHIR message is taken, kept, and answered.

Rules: https://hl7.org/fhir/R4/messageheader-operation-process-message.html, https://hl7.org/fhir/R4/messaging.html:
the body is the message, `async` and `response-url` go in the URL; 200 with a response message (code `ok`) says that
it was processed, 202 without a body that it is in the hub's custody.
SMART has no scope for messages: a notification makes a visit, so `Encounter.c` is asked for, as for /hl7v2.
What messages there are, and what becomes of them, comes from above (Engines.messages; adapters.alerts).
Refuses: a client without the scope (403); `response-url` (400: the answer is this response, the hub calls nobody);
an Idempotency-Key (400: the MessageHeader's id is one); all that the engine refuses.
"""

from hub.fhir import json
from hub.operations.call import Accepted, Call, Operation, Parameter
from hub.problems import Problem
from hub.store.joined import Joined


def process_message(call: Call) -> bytes | Accepted:
    """The response message; or nothing yet."""
    call.access.require("create", "Encounter")
    if call.engines.messages is None:
        raise Problem("not-supported", "This hub takes no messages")
    if "response-url" in call.given:
        why = "The answer is the response itself: nothing is sent to a response-url"
        raise Problem("not-supported", why, "response-url")
    if isinstance(call.transactions.database, Joined):
        raise Problem("not-supported", "$process-message takes no Idempotency-Key: the MessageHeader's id is one")
    waits = not (call.given.get("async", False) or call.respond_async)
    answer = call.engines.messages(call.access, call.given["content"], waits)
    return json.write(answer) if answer is not None else Accepted()


ROWS = (
    Operation(
        "process-message",
        "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
        ("system",),
        process_message,
        parameters=(
            Parameter("content", "Resource", required=True),
            Parameter("async", "boolean"),
            Parameter("response-url", "uri"),
        ),
        affects=True,
        resource="content",
        begins=True,
        get_levels=(),
    ),
)
