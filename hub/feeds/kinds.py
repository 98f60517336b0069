"""A kind of files: how it is read, and what its subjects become.

A source adds a row to the table in adapters/kinds.py; everything else is the same for all (docs/feeds.md).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from hub.feeds.records import Feed, Given, Reject, Resource, Said, Subject

Read = Callable[[Path, Feed], Iterator[Given]]  # streams; raises nothing: what is wrong is a Reject
Answers = Callable[[Path, Feed], Sequence[tuple[str, bytes]]]  # names and bytes
LookBack = Callable[[Connection, Feed, int], Iterator[Reject]]  # of the file with this number


@dataclass(frozen=True, slots=True)
class FileKind:
    """`name` is the word of `hub load NAME`, `source` the wing (`hmis`, `county_bh`, `plan`). `said` tells whose
    record a subject of stage PERSON is; `about` whom a subject of stage ABOUT is about, by what the source calls
    them (None: nobody). `resources` makes all resources of a subject, given the reference of the member (empty:
    nobody): each with a first identifier of its own under the feed's system, by which it is found again."""

    name: str
    source: str
    read: Read
    said: Callable[[Subject], Said | None]
    about: Callable[[Subject], str | None]
    resources: Callable[[Subject, str], Sequence[Resource]]
    needs: Mapping[str, str] | None = None  # options of the feed: name -> what it is
    has_code: Callable[[Feed, str, str], bool] | None = None  # whether a table has a code now that it lacked
    answers: Answers | None = None  # files that its sender is owed for a file: TA1, 999
    look_back: LookBack | None = None  # warnings about a file that is written, which need what other files brought
