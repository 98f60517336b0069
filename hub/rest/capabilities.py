"""capabilities. https://hl7.org/fhir/R4/http.html#capabilities (open to everyone)"""

from hub.access import Access
from hub.fhir import json
from hub.rest.asked import Answer, Asked
from hub.rest.hub import Hub


def capabilities(hub: Hub, asked: Asked, access: Access) -> Answer:
    """The CapabilityStatement that the front door computes from ROUTES and the search parameters."""
    return Answer(200, json.write(hub.capabilities()))
