"""Takes one filter after the other out of a copy of the tree; the covering set of the matrix must fail each time.

`python -m tests.matrix.mutations` runs all on SQLite, `... mutations 3 7` some, `... mutations --check` only looks
whether each text is still found exactly once.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "__pycache__", "*.egg-info", ".mypy_cache", ".ruff_cache", "node_modules"
)
SELECTED = "not long and not postgresql"
TESTS = ("tests/matrix",)


class Mutation(NamedTuple):
    """`text` stands once in the file. `tests` are those that must notice."""

    why: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...] = TESTS


MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "E21 what is chosen and what is downloaded",
        "hub/store/chosen.py",
        """    also, values = condition(connection, sight, "r")
    for start""",
        """    also, values = "", ()
    for start""",
    ),
    Mutation(
        "E21 minimum sets at the download",
        "hub/bulk/downloading.py",
        "    left = leaving(connection, access, rows, base).rows\n",
        "    left = rows\n",
    ),
    Mutation(
        "E21 scopes at the download",
        "hub/bulk/downloading.py",
        "for row in _versions(connection, access, found) if may_have(access, row.type)]",
        "for row in _versions(connection, access, found)]",
        ("tests/hub/bulk/test_export_access.py",),
    ),
    Mutation(
        "E21 the scopes of the token that asked",
        "hub/bulk/exporting.py",
        "    if not by:\n        return access\n    found",
        "    if by is not None:\n        return access\n    found",
        ("tests/hub/bulk/test_export_access.py",),
    ),
    Mutation(
        "E22 whose job it is",
        "hub/bulk/jobs.py",
        "mine = (bulk_job.c.id == identity, bulk_job.c.client == client, bulk_job.c.expires > now)",
        "mine = (bulk_job.c.id == identity, bulk_job.c.expires > now)",
        ("tests/hub/bulk/test_export_access.py",),
    ),
    Mutation(
        "E01 read",
        "hub/store/keyed.py",
        """    also, values = condition(connection, sight, "r")
    rows = _rows(connection, _current(""",
        """    also, values = condition(connection, ALL, "r")
    rows = _rows(connection, _current(""",
    ),
    Mutation(
        "E02 vread of an earlier version",
        "hub/store/keyed.py",
        """    also, values = condition(connection, sight, "r")
    rows = _rows(connection, _earlier(""",
        """    also, values = condition(connection, ALL, "r")
    rows = _rows(connection, _earlier(""",
        ("tests/hub/test_whose.py",),
    ),
    Mutation(
        "E05 a page by keys alone",
        "hub/store/keyed.py",
        """    also, values = condition(connection, sight, "r")
    statement = _page(""",
        """    also, values = condition(connection, ALL, "r")
    statement = _page(""",
    ),
    Mutation(
        "E14 newest first, by keys",
        "hub/store/keyed.py",
        "true() if shape is None else itself(shape)",
        "true()",
    ),
    Mutation(
        "E03 history of a resource",
        "hub/store/history.py",
        "row = keyed.current(connection, access.sight, resource_type, identity)",
        "row = keyed.current(connection, ALL, resource_type, identity)",
    ),
    Mutation(
        "E04 history of types",
        "hub/store/history.py",
        "        if not sight.everything:\n            statement = statement.where(_is_seen(table, sight))\n",
        "",
    ),
    Mutation(
        "E04 earlier versions of what is hidden now",
        "hub/store/history.py",
        "now.c.rid == table.c.rid, seen(now, sight)",
        "now.c.rid == table.c.rid",
    ),
    Mutation(
        "E07 what a match refers to",
        "hub/store/inclusions.py",
        """    also, more = condition(connection, sight, "resource")
    for start in range(0, len(identities), CHUNK):""",
        """    also, more = condition(connection, ALL, "resource")
    for start in range(0, len(identities), CHUNK):""",
    ),
    Mutation(
        "E08 what refers to a match",
        "hub/store/inclusions.py",
        """    also, more = condition(connection, sight, "resource")
    for start in range(0, len(keys), CHUNK):""",
        """    also, more = condition(connection, ALL, "resource")
    for start in range(0, len(keys), CHUNK):""",
    ),
    Mutation(
        "E09 a chain that drives",
        "hub/store/chains.py",
        ".where(among(target.c.rid, step, sight), target.c.deleted.is_(False), seen(target, sight))",
        ".where(among(target.c.rid, step, sight), target.c.deleted.is_(False))",
    ),
    Mutation(
        "E09 a chain that is asked of what was found",
        "hub/store/chains.py",
        "clause(step, target.c.rid, sight), seen(target, sight))",
        "clause(step, target.c.rid, sight))",
        ("tests/hub/store/test_sight.py",),
    ),
    Mutation(
        "E10 _has that drives: who refers",
        "hub/store/chains.py",
        "source.c.rid.in_(select(which.c.rid)), seen(source, sight))",
        "source.c.rid.in_(select(which.c.rid)))",
    ),
    Mutation(
        "E10 _has that is asked of what was found",
        "hub/store/chains.py",
        "source.c.rid == token.c.rid).where(seen(source, sight))",
        "source.c.rid == token.c.rid)",
    ),
    Mutation(
        "E05 E11 E12 a search that a condition drives",
        "hub/store/matching.py",
        """    statement = select(resource.c.rid).where(resource.c.deleted.is_(False), seen(resource, query.sight))
    if chosen""",
        """    statement = select(resource.c.rid).where(resource.c.deleted.is_(False))
    if chosen""",
    ),
    Mutation(
        "E14 a search that walks an index in order",
        "hub/store/matching.py",
        """    statement = select(resource.c.rid).where(resource.c.deleted.is_(False), seen(resource, query.sight))
    return""",
        """    statement = select(resource.c.rid).where(resource.c.deleted.is_(False))
    return""",
    ),
    Mutation(
        "E11 counting the rows of a lone key",
        "hub/store/order.py",
        "is_whole = len(keys) == 1 and self._query.sight.everything",
        "is_whole = len(keys) == 1",
        ("tests/hub/store/test_sight.py",),
    ),
    Mutation(
        "E12 what the last page ended with",
        "hub/store/order.py",
        "resource.c.rid == rid, seen(resource, self._query.sight)))",
        "resource.c.rid == rid))",
        ("tests/matrix/test_metamorphic.py",),
    ),
    Mutation(
        "E15 $everything",
        "hub/store/compartments.py",
        'condition(connection, sight, "resource")',
        'condition(connection, ALL, "resource")',
    ),
    Mutation(
        "E18 E19 what a write finds under an id",
        "hub/store/keyed.py",
        """    also, values = condition(connection, sight, "r")
    if connection.dialect.name == "postgresql":
        types, ids""",
        """    also, values = condition(connection, ALL, "r")
    if connection.dialect.name == "postgresql":
        types, ids""",
    ),
    Mutation(
        "E18 the sight of a conditional search",
        "hub/search/query.py",
        "return replace(self, conditions=conditions, sight=access.sight)",
        "return replace(self, conditions=conditions, sight=ALL)",
    ),
    Mutation(
        "E34 references that lead somewhere",
        "hub/store/conditions.py",
        "_PRESENT.where(seen(resource, access.sight))",
        "_PRESENT.where(seen(resource, ALL))",
        ("tests/hub/rest/test_hidden_is_missing.py",),
    ),
    Mutation(
        "E12 exact matches are settled by the caller's sight",
        "hub/store/exact.py",
        "resource.c.rid.in_(rids(criterion)), seen(resource, sight)",
        "resource.c.rid.in_(rids(criterion))",
        ("tests/hub/store/test_sight.py",),
    ),
    Mutation(
        "E05 parameters of withheld elements",
        "hub/search/query.py",
        "withheld.check(iter((*self.criteria, *self.conditions)), sorts, access.sight)",
        "pass",
        ("tests/hub/search/test_withheld.py",),
    ),
    Mutation(
        "a client writes the consent that opens its own access",
        "hub/whose.py",
        "if opens_own(before.consents, now.consents, self._own_recipients(change)):",
        "if False:",
    ),
    Mutation(
        "a write about a patient that no relation covers",
        "hub/whose.py",
        "if not covers(self._connection, sight, patients):",
        "if False:",
        ("tests/hub/test_whose.py",),
    ),
    Mutation(
        "a load patches and deletes what it may not read",
        "hub/transactions.py",
        ' and t.entry.method == "PUT"',
        "",
    ),
    Mutation(
        "labels of what is out of sight",
        "hub/leaving.py",
        "less = told(connection, access, rows)",
        "less: dict[int, int] = {}",
    ),
    Mutation(
        "inherited labels are written into what is stored",
        "hub/whose.py",
        "raised(told_labels.own_of(self._connection, old), mask), raised(old.labels, mask)",
        "raised(old.labels, mask), raised(old.labels, mask)",
        ("tests/hub/test_told_labels.py",),
    ),
    Mutation(
        "labels of targets of another sight",
        "hub/told_labels.py",
        "resource.c.address.in_(some), seen(resource, access.sight)",
        "resource.c.address.in_(some), seen(resource, ALL)",
        ("tests/hub/test_told_labels.py",),
    ),
    Mutation(
        "labels of targets of types that are not read",
        "hub/told_labels.py",
        " if _reads(access, row.type)",
        "",
    ),
    Mutation(
        "labels that were shown count as given",
        "hub/whose.py",
        "content = told_labels.given(self._connection, self._access, old, content)",
        "pass",
        ("tests/hub/test_told_labels.py",),
    ),
    Mutation(
        "HMIS opens with any consent",
        "hub/rights/consent_forms.py",
        "CONSENTED = ALL_BITS & ~(OTHER | HMIS)",
        "CONSENTED = ALL_BITS & ~OTHER",
        ("tests/hub/rights",),
    ),
    Mutation(
        "HMIS opens to a class and to everybody",
        "hub/rights/consents.py",
        "        return NOTES | HMIS\n    return SUBSTANCE_USE | NOTES | HMIS if",
        "        return NOTES\n    return SUBSTANCE_USE | NOTES if",
        ("tests/hub/rights",),
    ),
    Mutation(
        "HMIS opens to nobody",
        "hub/rights/consent_forms.py",
        "Form(labels=HMIS, most=HMIS)",
        "Form(labels=0, most=0)",
    ),
    Mutation(
        "a release of HMIS information tells nothing",
        "hub/rights/consent_forms.py",
        "return self.labels if self.describes else self.labels & HMIS",
        "return self.labels if self.describes else 0",
    ),
    Mutation(
        "the label HMIS is free for a provider",
        "auth/label_policy.csv",
        "HMIS,never,consent,consent,consent",
        "HMIS,never,consent,consent,free",
    ),
)


def stale(mutation: Mutation) -> str:
    """What is wrong with the row; empty where it can be applied."""
    path = ROOT / mutation.file
    if not path.exists():
        return "there is no such file"
    found = path.read_text().count(mutation.text)
    return "" if found == 1 else f"the text is found {found} times"


def survives(mutation: Mutation, tree: Path) -> bool:
    """Whether the tests pass with the mutation."""
    path = tree / mutation.file
    before = path.read_text()
    mutated = before.replace(mutation.text, mutation.replacement)
    if "ALL" in mutation.replacement:  # beneath the imports: the name is there, whatever the module imports
        mutated += "\n\nfrom hub.sight import ALL  # noqa\n"
    path.write_text(mutated)
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", SELECTED]
        done = subprocess.run([*command, *mutation.tests], cwd=tree, capture_output=True, check=False)
        if done.returncode not in (0, 1):
            print(done.stdout.decode()[-1500:])
        return done.returncode == 0
    finally:
        path.write_text(before)


def main(arguments: list[str]) -> int:
    chosen = [int(a) for a in arguments if a.isdigit()] or range(len(MUTATIONS))
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        if "--check" not in arguments:
            shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        for number in chosen:
            mutation, started = MUTATIONS[number], time.monotonic()
            if problem := stale(mutation):
                said = f"STALE: {problem}"
            elif "--check" in arguments:
                said = "found"
            else:
                said = "SURVIVES" if survives(mutation, tree) else "killed"
            wrong += said not in ("killed", "found")
            print(f"{number:3} {said:9} {time.monotonic() - started:5.1f} s  {mutation.why}", flush=True)
    print(f"{wrong} of {len(chosen)} not killed")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
