"""What who is shown a part of a resource changes of it: that part, as it is shown; the rest stays as it is.

Rules: docs/access.md (minimum sets, members of a Group). A patch sees what a read shows: it neither tests nor
copies anything else, and counts the members of a list as they are shown.
Refuses (`forbidden`): a whole update of what is shown in part, whatever it says (a right guess of what is not
shown must not be told from a wrong one), and an element that is not shown, whether it is there or not.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hub.fhir.bundles import Patch
from hub.leaving import ALWAYS_SHOWN, META_SHOWN, member_patients, members_seen
from hub.problems import Problem
from hub.sight import Sight

Resource = dict[str, Any]
COUNTED = ("quantity", "text")  # of a Group: they tell of members that are not shown


@dataclass(frozen=True, slots=True)
class ShownPart:
    """The parts that one caller is shown."""

    connection: Connection
    sight: Sight
    base: str

    def is_whole(self, kind: str) -> bool:
        """Whether nothing of the type is ever held back."""
        sight = self.sight
        return sight.everything or (kind not in sight.elements and (kind != "Group" or sight.all_patients))

    def patch(self, kind: str, patch: Patch | None) -> Patch | None:
        """The patch, of what is shown."""
        if patch is None or self.is_whole(kind):
            return patch
        return lambda resource: self._joined(kind, patch, *self._parted(resource))

    def update(self, kind: str, before: Resource | None, now: Resource) -> Resource:
        """What an update makes. Raises Problem."""
        if before is None or self.is_whole(kind):
            return now
        if kind in self.sight.elements:
            message = "This client changes only what it is shown; a patch leaves the rest as it is"
            raise Problem("forbidden", message, kind)
        _, rest = self._parted(before)
        return _with_rest(now, rest)

    def _parted(self, resource: Resource) -> tuple[Resource, Resource]:
        """What is shown, and what is not: lists in both are put together again."""
        kind = resource["resourceType"]
        rest: Resource = {}
        if kind in self.sight.elements:
            rest = {name: value for name, value in resource.items() if self._is_withheld(kind, name)}
            if meta := {name: value for name, value in resource.get("meta", {}).items() if name not in META_SHOWN}:
                rest["meta"] = meta
        if kind == "Group" and (members := self._strangers(resource)):
            rest |= {name: resource[name] for name in COUNTED if name in resource} | {"member": members}
        seen = {name: _without(value, rest[name]) if name in rest else value for name, value in resource.items()}
        return {name: value for name, value in seen.items() if value not in ({}, [], None)}, rest

    def _is_withheld(self, kind: str, name: str) -> bool:
        return name.removeprefix("_") not in self.sight.elements[kind] | ALWAYS_SHOWN

    def _strangers(self, group: Resource) -> list[Any]:
        members = group.get("member", [])
        if self.sight.all_patients:
            return []
        seen = set(members_seen(self.connection, self.sight, members, self.base))
        return [member for member in members if not set(member_patients(member, self.base)) <= seen]

    def _joined(self, kind: str, patch: Patch, seen: Resource, rest: Resource) -> Resource:
        made = patch(seen)
        if kind in self.sight.elements and any(self._is_withheld(kind, name) for name in made):
            raise Problem("forbidden", "This client changes only what it is shown", kind)
        return _with_rest(made, rest)


def _without(value: Any, rest: Any) -> Any:
    """What is left of a list or an object; nothing of what is not shown as a whole."""
    if isinstance(value, list) and isinstance(rest, list):
        return [each for each in value if each not in rest]
    if isinstance(value, dict) and isinstance(rest, dict):
        return {name: each for name, each in value.items() if name not in rest}
    return None


def _with_rest(made: Resource, rest: Resource) -> Resource:
    whole = made | {name: value for name, value in rest.items() if name not in ("meta", "member")}
    if "member" in rest:
        whole["member"] = [*made.get("member", ()), *rest["member"]]
    if "meta" in rest:
        meta = made.get("meta", {})
        tags = [tag for tag in meta.get("tag", ()) if tag not in rest["meta"].get("tag", ())]
        whole["meta"] = meta | rest["meta"] | ({"tag": [*rest["meta"].get("tag", ()), *tags]} if tags else {})
    return whole
