"""capabilities. https://hl7.org/fhir/R4/http.html#capabilities (open to everyone)

`mode=normative` is answered like `full`: R4 lets a server leave the mode out of account.
Refuses: `mode=terminology` where no TerminologyCapabilities are at hand, other modes and parameters.
"""

from contextlib import suppress
from dataclasses import replace

from hub.access import Access
from hub.fhir import json
from hub.problems import Problem
from hub.rest.asked import Answer, Asked
from hub.rest.hub import Hub
from hub.store import parameters

MODES = ("full", "normative", "terminology")


def capabilities(hub: Hub, asked: Asked, access: Access) -> Answer:
    """The CapabilityStatement that the front door computes from ROUTES and the search parameters, or the
    TerminologyCapabilities that it computes from the terminology operations."""
    replace(asked, pairs=[pair for pair in asked.pairs if pair[0] != "mode"]).no_parameters()
    modes = [value for name, value in asked.pairs if name == "mode"]
    mode = modes[0] if modes else "full"
    if len(modes) > 1 or mode not in MODES:
        raise Problem("value", f"mode is one of {', '.join(MODES)}", "mode")
    with suppress(Problem):  # it is told also where the database cannot be asked
        parameters.look(hub.database)
    if mode != "terminology":
        return Answer(200, json.write(hub.capabilities()))
    if hub.engines.terminology_capabilities is None:
        raise Problem("not-supported", "This hub answers no questions of terminology", "mode")
    return Answer(200, json.write(hub.engines.terminology_capabilities()))
