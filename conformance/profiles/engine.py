"""A resource against a compiled profile.

Rules: https://hl7.org/fhir/R4/profiling.html, /validation.html, /elementdefinition.html
The base specification is not repeated here (conformance.validation.structure); mustSupport says nothing of one
resource. What cannot be known without a terminology server or a reference's target is no error.
"""

from collections.abc import Callable
from typing import Any, Protocol

from conformance.fhirpath.closures import Around, compiled
from conformance.fhirpath.syntax import NotFhirPath
from conformance.profiles import codes, discriminators
from conformance.profiles.compiled import Constraint, Element, Profile, Type
from conformance.profiles.items import Item, is_fixed, items, matches_pattern
from conformance.profiles.library import BASE, Profiles
from conformance.profiles.targets import Targets
from hub.problems import Issue

Node = Any
MAX_DEPTH = 40


class Codes(Protocol):
    """Whether a code is in a value set, whether a code system has it; None when nobody here can tell."""

    def member(self, value_set: str, system: str, code: str) -> bool | None: ...

    def exists(self, system: str, code: str) -> bool | None: ...


class Engine:
    """Validates one resource tree; `root` is the outermost resource."""

    def __init__(self, profiles: Profiles, terms: Codes, root: Node):
        self.profiles = profiles
        self.terms = terms
        self.targets = Targets(root)
        self.root = root
        self.resource = root
        self.issues: list[Issue] = []
        self._depth = 0
        self._open: set[tuple[int, str]] = set()

    def report(self, kind: str, message: str, where: str, severity: str = "error") -> None:
        self.issues.append(Issue(kind, message, where, severity))

    def trial(self, run: Callable[[], None]) -> list[Issue]:
        """What a run would report, without reporting it."""
        kept, self.issues = self.issues, []
        try:
            run()
            return self.issues
        finally:
            self.issues = kept

    def conforms(self, profile: Profile, item: Item) -> bool:
        found = self.trial(lambda: self.profile(profile, item))
        return not any(issue.severity == "error" for issue in found)

    def profile(self, profile: Profile, item: Item) -> None:
        """The rules of a whole profile for one resource, datatype or extension."""
        mark = (id(item.node), profile.url)
        if mark in self._open or self._depth > MAX_DEPTH:
            return
        self._open.add(mark)
        outer = self.resource
        if isinstance(item.value, dict) and "resourceType" in item.value:
            self.resource = item.value
            if profile.type != item.value["resourceType"] and profile.type not in ("Resource", "DomainResource"):
                self.report("profile-structure", f"The profile is for {profile.type}: {profile.url}", item.where)
                self.resource = outer
                self._open.discard(mark)
                return
        self._depth += 1
        self.element(profile.root, Item(item.value, item.beside, item.where, item.type or profile.type))
        self._depth -= 1
        self.resource = outer
        self._open.discard(mark)

    def element(self, element: Element, item: Item) -> None:
        """The rules of one element for one of its values, and all below."""
        self._value(element, item)
        self._constraints(element, item)
        if element.binding is not None:
            codes.check(self, element.binding, item)
        self._types(element, item)
        if isinstance(item.node, dict):
            for child in element.children.values():
                self._child(child, item)

    def _child(self, child: Element, parent: Item) -> None:
        if child.name == "resourceType":
            return
        node = parent.value if isinstance(parent.value, dict) else parent.beside
        found = items(node, child.name, parent.where)
        self._count(child, len(found), parent.where)
        for item in found:
            if not item.type and len(child.types) == 1:
                item.type = child.types[0].code
            self.element(child, item)
        if child.slices:
            self._slices(child, found, parent.where)

    def _count(self, element: Element, count: int, where: str) -> None:
        name = f"{element.name}:{element.slice_name}" if element.slice_name else element.name
        if count < element.min:
            self.report("profile-required", f"{name}: at least {element.min} needed, {count} found", where)
        elif element.max is not None and count > element.max:
            self.report("profile-structure", f"{name}: at most {element.max} allowed, {count} found", where)

    def _slices(self, element: Element, found: list[Item], where: str) -> None:
        slicing = element.slicing
        if slicing is None:
            slicing = discriminators.by_type(element)
            if slicing is None:
                return
        counts = dict.fromkeys((id(each) for each in element.slices), 0)
        last = -1
        for item in found:
            place = discriminators.slice_of(self, element, slicing, item)
            if place is None:
                if slicing.rules == "closed":
                    self.report(
                        "profile-structure",
                        f"{element.name}: not in any slice, and no other is allowed",
                        item.where,
                    )
                continue
            if slicing.is_ordered and place < last:
                self.report("profile-structure", f"{element.name}: the slices are not in their order", item.where)
            last = place
            chosen = element.slices[place]
            counts[id(chosen)] += 1
            self.element(chosen, item)
            if chosen.slices:
                self._slices(chosen, [item], where)
        for each in element.slices:
            self._count(each, counts[id(each)], where)

    def _value(self, element: Element, item: Item) -> None:
        value = item.value
        if element.fixed is not None and not is_fixed(element.fixed, value):
            self.report("profile-value", f"{element.name}: not the value that the profile fixes", item.where)
        if element.pattern is not None and not matches_pattern(element.pattern, value):
            self.report("profile-value", f"{element.name}: not the pattern that the profile wants", item.where)
        if element.max_length is not None and isinstance(value, str) and len(value) > element.max_length:
            self.report("profile-value", f"{element.name}: longer than {element.max_length} characters", item.where)
        if value is not None:
            self._range(element, item)

    def _range(self, element: Element, item: Item) -> None:
        from conformance.fhirpath.compare import ordered

        for limit, name in ((element.least, ">="), (element.most, "<=")):
            if limit is not None and ordered(name, [item.value], [limit]) is False:
                self.report("profile-value", f"{element.name}: outside the range of the profile", item.where)

    def _constraints(self, element: Element, item: Item) -> None:
        if not element.constraints:
            return
        around = Around(self.resource, self.root, item.node, item.type, self.targets.resolve, self._member)
        for constraint in element.constraints:
            if holds(constraint, item.node, around) is False:
                self.report("invariant", f"{constraint.key}: {constraint.human}", item.where, constraint.severity)

    def _member(self, value_set: str, node: Node) -> bool | None:
        return codes.membership(self.terms, value_set, node, "")

    def _types(self, element: Element, item: Item) -> None:
        chosen = self._type(element, item)
        if chosen is None:
            return
        if chosen.profiles and chosen.code != "Extension":  # extensions: each by its url, wherever it stands
            self._any_of(chosen.profiles, item)
        if chosen.targets:
            self._target(chosen, item)

    def _type(self, element: Element, item: Item) -> Type | None:
        if not element.types or ("." not in item.where and not item.type):
            return None
        if isinstance(item.value, dict) and "resourceType" in item.value:
            fitting = element.type_of(item.value["resourceType"]) or element.type_of("Resource")
            return fitting or (element.types[0] if not element.children else None)
        found = element.type_of(item.type)
        if found is None and element.name.endswith("[x]"):
            self.report("profile-structure", f"{element.name}: the profile does not allow this type", item.where)
        return found

    def _any_of(self, canonicals: tuple[str, ...], item: Item) -> None:
        known = [profile for each in canonicals if (profile := self.profiles.get(each)) is not None]
        if len(known) == 1 and len(canonicals) == 1:
            self.profile(known[0], item)
        elif known and len(known) == len(canonicals) and not any(self.conforms(each, item) for each in known):
            self.report("profile-structure", "None of the allowed profiles holds", item.where)

    def _target(self, chosen: Type, item: Item) -> None:
        reference = item.value.get("reference") if isinstance(item.value, dict) else None
        if not isinstance(reference, str) or chosen.code not in ("Reference", "CodeableReference"):
            return
        target = self.targets.resolve(reference)
        name = target.get("resourceType") if target is not None else self.targets.type_in(item.value)
        allowed = {self.profiles.type_of(each) for each in chosen.targets}
        if not name or "" in allowed or "Resource" in allowed:
            return
        if name not in allowed:
            self.report(
                "reference-target", "The reference is to a type that the profile does not allow", item.where
            )
        elif target is not None:
            self._target_profiles(chosen, target, item)

    def _target_profiles(self, chosen: Type, target: Node, item: Item) -> None:
        fitting = [each for each in chosen.targets if self.profiles.type_of(each) == target["resourceType"]]
        known = [profile for each in fitting if (profile := self.profiles.get(each)) is not None]
        if any(each.startswith(BASE) for each in fitting) or len(known) < len(fitting):
            return
        if not any(self.conforms(each, Item(target, None, target["resourceType"])) for each in known):
            self.report(
                "reference-target", "The resource referred to holds none of the profiles allowed", item.where
            )


def holds(constraint: Constraint, node: Node, around: Around) -> bool | None:
    """Whether a constraint holds; None when it cannot be evaluated here."""
    if constraint.test is None and not constraint.is_unknown:
        try:
            constraint.test = compiled(constraint.expression) if constraint.expression else None
        except NotFhirPath:
            constraint.test = None
        constraint.is_unknown = constraint.test is None
    if constraint.test is None:
        return None
    try:
        return constraint.test(node, around)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError):
        return None
