"""The tables of docs/access.md, printed from the tables that decide.

    python -m auth.roles_page

Each stands between two comments, `<!-- roles -->` and `<!-- /roles -->`; the words around them stay.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from auth.roles import ALWAYS_LEAVE, ROLES, Role, elements_of_role, groups, kinds_of, label_policy, letters_of
from hub import sight
from hub.fhir.elements import elements_of

DOCUMENT = Path(__file__).parents[1] / "docs" / "access.md"
KINDS = ("PANEL", "TEAM", "REFERRAL", "COVERAGE", "EPISODE", "REGISTERED", "PROXY", "GRANTED")
Line = Iterable[str]


def _roles() -> Iterator[Line]:
    yield "role", "who it is", "patients", "purposes", "own data"
    for role in ROLES.values():
        own = "with any label" if role.own else "-"
        yield f"`{role.id}`", role.meaning, _patients(role), ", ".join(role.purposes) or "-", own


def _patients(role: Role) -> str:
    if role.all_patients:
        return "all"
    named = [name for name in KINDS if kinds_of(role) & getattr(sight, name)]
    itself = ["itself"] if role.person else []
    return ", ".join([*itself, *named]) or "none"


def _types() -> Iterator[Line]:
    yield "types", *(f"`{role}`" for role in ROLES)
    for group, types in groups().items():
        lines = {name: tuple(_letters(role, name) for role in ROLES) for name in sorted(types)}
        most = Counter(lines.values()).most_common(1)[0][0]
        apart = {name: line for name, line in lines.items() if line != most}
        yield f"**{group}**" + (" but for:" if apart else ""), *most
        for name, line in apart.items():
            yield name, *line


def _letters(role: str, name: str) -> str:
    return "".join(letter for letter in "cruds" if letter in letters_of(role).get(name, ())) or "-"


def _groups() -> Iterator[Line]:
    yield "group", "types"
    for group, types in groups().items():
        yield group, ", ".join(sorted(types))


def _elements() -> Iterator[Line]:
    yield "role", "type", "elements that leave"
    for role in ROLES:
        for name, elements in elements_of_role(role).items():
            in_order = [each for each in elements_of(name) if each in elements - ALWAYS_LEAVE]
            yield f"`{role}`", name, ", ".join(in_order)


def _labels() -> Iterator[Line]:
    yield "label", *(f"`{role}`" for role in ROLES)
    for label in label_policy(next(iter(ROLES))):
        yield label, *(label_policy(role)[label] for role in ROLES)


TABLES: Mapping[str, Callable[[], Iterator[Line]]] = {
    "roles": _roles,
    "types": _types,
    "groups": _groups,
    "elements": _elements,
    "labels": _labels,
}


def page(text: str) -> str:
    """The document with its tables as they are now."""
    for name, lines in TABLES.items():
        between = f"<!-- {name} -->\n{_table(lines())}<!-- /{name} -->".replace("\\", "\\\\")
        text = re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", between, text, flags=re.DOTALL)
    return text


def _table(lines: Iterator[Line]) -> str:
    head = list(next(lines))
    rows = [head, ["---"] * len(head), *(list(line) for line in lines)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    DOCUMENT.write_text(page(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
