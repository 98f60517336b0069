"""What a write of one type must keep beside what validates it, decided where the former version is known: rules
that the front door hands in by value, asked in the one way into the store (hub.transactions).

A rule gets the version before and the one to be written (None: there is none), who writes and whose data it is; it
gives what is to be written. It may refuse (Problem). A merge of two members is asked nothing: it changes only whom
resources are about.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hub.access import Access
from hub.fhir import json
from hub.store.read import Stored
from hub.versions import Target

Resource = dict[str, Any]
Rule = Callable[[Resource | None, Resource | None, Access, int], Resource | None]


class WriteRules:
    """The rules of one commit, by type."""

    def __init__(self, rules: Mapping[str, Rule], access: Access, held: Mapping[Any, Stored]):
        self._rules = rules
        self._access = access
        self._held = held

    def kept(self, target: Target, resource: Resource | None) -> Resource | None:
        """What is to be written of this. Raises Problem."""
        rule = self._rules.get(target.entry.type)
        if rule is None or target.identity is None or target.found is not None:
            return resource
        old = self._held.get(target.identity)
        asked = target.entry.if_match
        if asked is not None and (old is None or asked != old.version):
            return resource  # refused soon, as it is about another version (hub.versions)
        before = json.stored(old.body) if old and old.body else None
        if before is None and resource is None:
            return None
        return rule(before, resource, self._access, old.source if old else 0)
