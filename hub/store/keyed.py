"""Searches by keys alone (tokens, references and uris with one value each): statements prepared once a shape.

Most searches are of this kind (`identifier=`, `patient=&status=`), and putting a statement together costs more
than running it. The general form is hub.store.read.page.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, exists, select, tuple_

from hub.store.tables import index_token, resource

MOST_KEYS = 6
COLUMNS = (
    resource.c.rid,
    resource.c.type,
    resource.c.id,
    resource.c.version,
    resource.c.last_updated,
    resource.c.deleted,
    resource.c.body,
)


@lru_cache(maxsize=MOST_KEYS * 6)
def statement(keys: int, sort: str, paged: bool) -> Select[Any]:
    """A page of the resources that have all of `keys` keys; the first one drives. Parameters: `parameters`."""
    driver, *others = [bindparam(f"key{number}", type_=index_token.c.hash.type) for number in range(keys)]
    found = select(*COLUMNS).where(
        resource.c.deleted.is_(False),
        resource.c.rid.in_(select(index_token.c.rid).where(index_token.c.hash == driver)),
    )
    for other in others:
        also = select(index_token.c.rid).where(index_token.c.hash == other, index_token.c.rid == resource.c.rid)
        found = found.where(exists(also.correlate(resource)))
    order = [resource.c.last_updated, resource.c.rid] if sort else [resource.c.rid]
    descending = sort.startswith("-")
    if paged:
        here = tuple_(*order)
        there = tuple_(*(bindparam(f"after{number}", type_=resource.c.rid.type) for number in range(len(order))))
        found = found.where(here < there if descending else here > there)
    ordered = [column.desc() if descending else column.asc() for column in order]
    return found.order_by(*ordered).limit(bindparam("limit"))


def parameters(keys: Sequence[int], after: Sequence[int], limit: int) -> dict[str, int]:
    return {
        **{f"key{number}": value for number, value in enumerate(keys)},
        **{f"after{number}": value for number, value in enumerate(after)},
        "limit": limit,
    }
