"""The rule for migrations (docs/deployment.md, "Upgrade"): a revision adds; what it takes away or narrows, the
release before must not need any more, and the revision says so in `oldest`.

An older hub refuses a schema whose `oldest` it does not reach; without it, it goes on over what breaks it."""

import ast
import re
from pathlib import Path

import pytest

from hub.store.migrate import SCRIPTS, newest, oldest

FIRST = "0018"  # no hub of before reads what a schema says of itself
FILES = [path for path in sorted((SCRIPTS / "versions").glob("[0-9]*.py")) if path.name >= FIRST]
NARROWING = {"alter_column", "drop_column", "drop_constraint", "drop_table", "rename_table"} | {
    f"create_{kind}" for kind in ("check_constraint", "exclude_constraint", "foreign_key", "unique_constraint")
}
IN_SQL = re.compile(r"\b(DROP\s+(TABLE|COLUMN|CONSTRAINT)|RENAME|ALTER\s+COLUMN|SET\s+NOT\s+NULL)\b", re.IGNORECASE)


def narrows(source: str) -> list[str]:
    """What `upgrade`, and what it may call, takes away or narrows."""
    body = [node for node in ast.parse(source).body if getattr(node, "name", "") != "downgrade"]
    found = []
    for node in (inner for outer in body for inner in ast.walk(outer)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in NARROWING or (name == "add_column" and _wants_a_value(node)):
                found.append(name)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and IN_SQL.search(node.value):
            found.append("SQL")
    return found


def _wants_a_value(call: ast.Call) -> bool:
    """A column that the release before, which does not know it, cannot leave out."""
    for column in (inner for inner in ast.walk(call) if isinstance(inner, ast.Call)):
        given = {word.arg: word.value for word in column.keywords}
        nullable = given.get("nullable")
        if isinstance(nullable, ast.Constant) and nullable.value is False and "server_default" not in given:
            return True
    return False


def declared(source: str) -> str | None:
    """The `oldest` of a revision."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "oldest":
            return str(ast.literal_eval(node.value))
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_takes_away_says_which_release_can_do_without(path: Path) -> None:
    source = path.read_text()
    if narrows(source):
        assert declared(source) is not None, f"{path.name} narrows ({narrows(source)}): name the `oldest` release"
    if named := declared(source):
        assert named <= path.name.partition("_")[0]


@pytest.mark.parametrize(
    ("step", "narrow"),
    [
        ("op.add_column('a', sa.Column('b', sa.Text()))", False),
        ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=''))", False),
        ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False))", True),
        ("op.drop_column('a', 'b')", True),
        ("op.create_table('a', sa.Column('b', sa.Text(), nullable=False))", False),
        ("op.execute('ALTER TABLE a DROP COLUMN b')", True),
        ("op.execute('ALTER TABLE a RENAME TO b')", True),
        ("op.create_unique_constraint('u', 'a', ['b'])", True),
        ("op.create_index('i', 'a', ['b'])", False),
    ],
)
def test_the_rule_sees_what_narrows(step: str, narrow: bool) -> None:
    assert bool(narrows(f"def upgrade():\n    {step}\n")) == narrow
    assert not narrows(f"def downgrade():\n    {step}\n")


def test_the_database_is_told_the_highest() -> None:
    assert oldest() == max(declared(path.read_text()) or FIRST for path in FILES)
    assert oldest() <= newest()
