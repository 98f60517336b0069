"""docs/layouts.md: every shipped layout, column by column, from the files that are it.

python -m adapters.plan.layouts_page > docs/layouts.md
"""

import sys
from collections.abc import Iterable, Iterator

from adapters.files.layouts import Column, Layout, Layouts
from adapters.plan.workbook_choice import SHIPPED

HEAD = """# Layouts of the plan's tables

Printed from `adapters/plan/layouts` (`python -m adapters.plan.layouts_page > docs/layouts.md`); a test fails when
this page is stale. What the layouts are for, and how to write one: [plan-workbooks.md](plan-workbooks.md).

Each is a variant that somebody sends. **None is DHCS' own**: its element lists are not public. Headers are compared
by letters and digits only. Columns that a layout does not name are kept under their own header, and written again.

"""


def page() -> str:
    """The page as Markdown."""
    found = Layouts.load(SHIPPED).by_name.values()
    return HEAD + "\n".join("".join(_section(one)) for one in found)


def _section(layout: Layout) -> Iterator[str]:
    yield f"## {layout.name}\n\n"
    yield _table(("", ""), _facts(layout))
    yield _table(("column", "also written", "fact", "holds"), map(_row, layout.columns))
    for name, rows in layout.codes.items():
        yield f"Codes of `{name}`" + (":\n\n" if rows else ": none is evidenced. A deployment adds its own.\n\n")
        if rows:
            yield _table(("theirs", "ours"), ((f"`{theirs}`", f"`{ours}`") for theirs, ours in rows.items()))


def _facts(layout: Layout) -> Iterator[tuple[str, str]]:
    yield "kind of file", ", ".join(f"`{kind}`" for kind in layout.kinds)
    yield "whose", f"{layout.plan or 'a vendor, for several plans'}, {layout.version}"
    yield "evidence", layout.evidence
    yield "sheet", ", ".join(layout.sheets)
    yield "a row is known by", ", ".join(layout.key) + (" (the same may come again)" if layout.repeats else "")
    if layout.one_of:
        yield "a row needs", f"{' or '.join(layout.one_of)}"


def _row(column: Column) -> tuple[str, str, str, str]:
    holds = f"code of `{column.codes}`" if column.codes else column.type
    said = (("must be there", column.required), ("read only", not column.written))
    more = [word for word, is_so in said if is_so]
    also = ", ".join(column.aliases)
    return column.header, also, f"`{column.fact}`", ", ".join([holds, *more])


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (heads, ("---",) * len(heads), *rows)
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
