"""Every interaction the API has, as one table: requests, the CapabilityStatement and the tests read it.

`reads` interactions are given a reading connection; the others write through hub.transactions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.problems import Problem
from hub.rest import audit_events as audit
from hub.rest.asked import Asked
from hub.rest.bundle import bundle
from hub.rest.capabilities import capabilities
from hub.rest.compartment import search_compartment, search_compartment_post
from hub.rest.history import history_instance, history_system, history_type
from hub.rest.operations import LEVELS, METHODS, affects, operate, operation
from hub.rest.read import read, vread
from hub.rest.search import search_post, search_type
from hub.rest.search_all import search_system, search_system_post
from hub.rest.write import conditional_delete, conditional_patch, conditional_update, create, delete, patch, update


@dataclass(frozen=True, slots=True)
class Route:
    """`level` is where the CapabilityStatement lists the interaction: type, system, or nowhere."""

    method: str
    path: str
    interaction: str
    serve: Callable[..., Any]
    reads: bool = False
    open: bool = False
    level: str = "type"

    def writes(self, asked: Asked) -> bool:
        """Whether the request is to change what is stored: not every POST is."""
        if self.reads or self.open:
            return False
        return affects(asked) if self.interaction == "operation" else True

    def served(self, asked: Asked) -> Callable[..., Any]:
        """What serves this request. Raises Problem where the hub's own types do not take it."""
        if asked.member in VIRTUAL:
            raise Problem("not-supported", f"{asked.member} is searched by its own parameter patient")
        own = VIRTUAL.get(asked.type)
        if own is None or self.interaction == "operation":
            return self.serve
        if self.interaction not in own:
            raise audit.refuse(self.interaction)
        return own[self.interaction]


# types that are not stored as resources: interaction -> what serves it
VIRTUAL: dict[str, dict[str, Callable[..., Any]]] = {audit.TYPE: audit.SERVED}

ROUTES = (
    Route("GET", "/metadata", "capabilities", capabilities, open=True, level=""),
    Route("POST", "/", "transaction", bundle, level="system"),
    Route("GET", "/<type>/<id>", "read", read, reads=True),
    Route("GET", "/<type>/<id>/_history/<int:version>", "vread", vread, reads=True),
    Route("GET", "/<type>/<id>/_history", "history-instance", history_instance, reads=True),
    Route("GET", "/<type>/_history", "history-type", history_type, reads=True),
    Route("GET", "/_history", "history-system", history_system, reads=True, level="system"),
    Route("GET", "/<type>", "search-type", search_type, reads=True),
    Route("POST", "/<type>/_search", "search-type", search_post, reads=True, level=""),
    Route("GET", "/", "search-system", search_system, reads=True, level="system"),
    Route("POST", "/_search", "search-system", search_system_post, reads=True, level=""),
    Route("GET", "/<type>/<id>/<member>", "search-compartment", search_compartment, reads=True, level=""),
    Route(
        "POST", "/<type>/<id>/<member>/_search", "search-compartment", search_compartment_post, reads=True, level=""
    ),
    Route("POST", "/<type>", "create", create),
    Route("PUT", "/<type>/<id>", "update", update),
    Route("PUT", "/<type>", "update", conditional_update, level=""),
    Route("PATCH", "/<type>/<id>", "patch", patch),
    Route("PATCH", "/<type>", "patch", conditional_patch, level=""),
    Route("DELETE", "/<type>/<id>", "delete", delete),
    Route("DELETE", "/<type>", "delete", conditional_delete, level=""),
    # one path a level; which operations there are, and by which methods, is the table hub.operations.table
    *(Route("GET", path, "operation", operation, reads=True, level="") for path in LEVELS.values()),
    *(Route(method, path, "operation", operate, level="") for path in LEVELS.values() for method in METHODS),
)
