"""All kinds of files that the hub takes: a line a source.

Removing a source is deleting its folders and its line here.
"""

from collections.abc import Mapping
from importlib import import_module

from hub.feeds.kinds import FileKind

# module, name of its tuple of kinds
SOURCES: tuple[tuple[str, str], ...] = (
    ("adapters.county_bh.kinds", "FILE_KINDS"),
    ("adapters.hmis.kinds", "FILE_KINDS"),
    ("adapters.plan.kinds_x12", "FILE_KINDS_X12"),
    ("adapters.plan.kinds_workbooks", "FILE_KINDS_WORKBOOKS"),
    ("adapters.referrals.kinds", "FILE_KINDS"),
)


def file_kinds() -> Mapping[str, FileKind]:
    """By name."""
    found = [kind for module, name in SOURCES for kind in getattr(import_module(module), name)]
    return {kind.name: kind for kind in found}
