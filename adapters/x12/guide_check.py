"""A transaction set against its implementation guide: pyx12's maps, segment by segment.

Rules: 005010X220A1, X222A1, X223A2 as pyx12 has them; codes of IK304 and IK403 (005010X231A1).
- A segment that was found right once in a place of the map is right there again: 834 files repeat themselves. So
  do blocks: one of the same segments and qualifiers as one that fits stands in the same places, and is
  not walked again.
- Letters outside of X12's sets, such as Ñ, are taken: names have them.
- INS03 is not checked here: an unknown maintenance code is a matter of business (C20), the member's reject says so.
Refuses nothing: where pyx12 itself stumbles over a segment, that segment is wrong (IK304 8).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from pyx12.errors import X12Error
from pyx12.map_if import load_map_file
from pyx12.map_if._segment import apply_segment_errors
from pyx12.map_index import map_index
from pyx12.map_walker import apply_walk_errors, walk_tree
from pyx12.params import params
from pyx12.segment import Segment as Checked

from adapters.x12.verdicts import Finding

Told = tuple[int, int, tuple[str, ...]]  # number in the file, place in the set, elements
Shape = tuple[tuple[str, str], ...]
_GROUP, _GS = "/ISA_LOOP/GS_LOOP", "/ISA_LOOP/GS_LOOP/GS"
_SEGMENT_CODES = frozenset(["1", "2", "3", "4", "5", "6", "7", "8", "I4", "I6", "I7", "I8", "I9"])
_ELEMENT_CODES = frozenset(
    ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "12", "13", "I10", "I11", "I12", "I13", "I6", "I9"]
)
_CHARACTER = "6"
_BUSINESS = frozenset((("INS", 3),))
_REMEMBERED, _SHAPES = 1 << 17, 1 << 12
_WITHOUT_QUALIFIER = frozenset(("N3", "N4", "EC", "IDC", "LX"))
_STUMBLES = (X12Error, LookupError, ValueError, TypeError, AttributeError, AssertionError)


class GuideCheck:
    """One for each version; it remembers what was right. Begin a set, then check its blocks in order: what stands
    before the first one, each of them, the trailer."""

    def __init__(self, kind: str, version: str):
        self.map = _map(kind, version)
        self.right: set[tuple[int, str]] = set()
        self.shapes: dict[Shape, list[Any]] = {}  # those that fit the map -> the place of each segment in it
        self.found = _Found()
        self.walker: Any = None
        self.node: Any = None
        self.last: tuple[Shape, list[Any]] | None = None  # walked last, without fault so far

    @property
    def knows(self) -> bool:
        return self.map is not None

    def begin(self) -> None:
        self.walker, self.node, self.last = walk_tree(), self.map.getnodebypath(_GS), None
        self.walker.forceWalkCounterToLoopStart(_GROUP, _GS)

    def check(self, block: Sequence[Told], repeats: bool, component: str) -> list[Finding]:
        """What is wrong, in the order of the segments. `repeats`: it fits or not, whatever stands before it."""
        shape = tuple(_shape(elements) for _, _, elements in block) if repeats else ()
        is_known = bool(shape) and self.last is not None and self.last[0] in self.shapes
        nodes = self.shapes.get(shape) if is_known else None
        for told, node in zip(block, nodes or self._walk(block, shape, component), strict=True):
            self._elements(told, node, component)
        return self.found.taken()

    def _walk(self, block: Sequence[Told], shape: Shape, component: str) -> list[Any]:
        """The places of the segments in the map. What the block before lacks is found at the first of them."""
        nodes, fits = [], True
        for place, told in enumerate(block):
            before = len(self.found.findings)
            nodes.append(self._step(told, component))
            is_fine = len(self.found.findings) == before
            if place == 0 and is_fine and self.last and len(self.shapes) < _SHAPES:
                self.shapes[self.last[0]] = self.last[1]
            fits = fits and is_fine
        self.last = (shape, nodes) if shape and fits else None
        return nodes

    def _step(self, told: Told, component: str) -> Any:
        number, place, elements = told
        self.found.at(number, place, elements[0])
        try:
            segment = Checked("*".join(elements), "~", "*", component)
            node, _, _, errors = self.walker.walk_errors(self.node, segment, place, number, None)
        except _STUMBLES:
            self.found.segment_is_wrong()
            return None
        apply_walk_errors(self.found, errors)
        self.node = node or self.node
        return node

    def _elements(self, told: Told, node: Any, component: str) -> None:
        number, place, elements = told
        text = "*".join(elements)
        key = (id(node), text)
        if node is None or key in self.right:
            return
        self.found.at(number, place, elements[0])
        try:
            is_right = apply_segment_errors(node, Checked(text, "~", "*", component), self.found)
        except _STUMBLES:
            self.found.segment_is_wrong()
            return
        if is_right and len(self.right) < _REMEMBERED:
            self.right.add(key)


def _shape(elements: tuple[str, ...]) -> tuple[str, str]:
    """All that tells where in the map a segment stands: its name, and its qualifier."""
    name = elements[0]
    return name, elements[1] if len(elements) > 1 and name not in _WITHOUT_QUALIFIER else ""


class _Found:
    """What pyx12 calls with each error: its error handler, of which only the codes are kept, never the values."""

    def __init__(self) -> None:
        self.number, self.place, self.name = 0, 0, ""
        self.findings: dict[Finding, None] = {}
        self.element: Any = None

    def at(self, number: int, place: int, name: str) -> None:
        self.number, self.place, self.name = number, place, name

    def segment_is_wrong(self) -> None:
        self._find("8")

    def taken(self) -> list[Finding]:
        if not self.findings:
            return []
        found, self.findings = sorted(self.findings, key=lambda one: one.place), {}
        return found

    def add_seg(self, map_node: Any, seg_data: Any, seg_count: int, cur_line: int, ls_id: str | None) -> None:
        self.name = seg_data.get_seg_id() or self.name

    def seg_error(self, err_cde: str, err_str: str, err_value: Any = None, src_line: Any = None) -> None:
        self._find(err_cde if err_cde in _SEGMENT_CODES else "8")

    def add_ele(self, map_node: Any) -> None:
        self.element = map_node

    def ele_error(self, err_cde: str, err_str: str, bad_value: Any, refdes: Any = None) -> None:
        node, inside = self.element, self.element.parent.is_composite()
        place, component = (node.parent.seq, node.seq) if inside else (node.seq, 0)
        is_letter = err_cde == _CHARACTER and str(bad_value).isprintable()
        if is_letter or (self.name, place) in _BUSINESS:
            return
        code = err_cde if err_cde in _ELEMENT_CODES else "7"
        self._find(code, place, component, node.data_ele or "")

    def _find(self, code: str, element: int = 0, component: int = 0, reference: str = "") -> None:
        one = Finding(self.number, self.place, self.name, code, element, component, reference)
        self.findings[one] = None


@cache
def _map(kind: str, version: str) -> Any:
    """pyx12's map of a version, or None where it has none. Takes a second: once for each process."""
    name = map_index().get_filename("00501", version, kind)
    return load_map_file(name, params()) if name else None
