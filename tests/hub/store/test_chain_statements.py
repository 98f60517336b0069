"""The statements of chains: what a chain finds is found first, whatever the database expects of it."""

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from hub.access import Access
from hub.search.query import Limits, parse
from hub.store.matching import driven

ONE_STEP = ("patient.identifier", "urn:x|1")
TWO_STEPS = ("focus:ServiceRequest.patient.identifier", "urn:x|1")


@pytest.mark.parametrize(("asked", "arrays"), [(ONE_STEP, 1), (TWO_STEPS, 2)], ids=["one step", "two steps"])
def test_postgresql_finds_each_chain_as_an_array(asked: tuple[str, str], arrays: int) -> None:
    """Without it, a million resources are walked beside the two that a chain finds (docs/benchmarks.md)."""
    query = parse("Task", [asked], Limits()).granted(Access.system("tests"))
    statement = driven(query, query.conditions[0])
    assert str(statement.compile(dialect=postgresql.dialect())).count("= ANY (ARRAY(SELECT") == arrays
    on_sqlite = str(statement.compile(dialect=sqlite.dialect()))
    assert "ARRAY" not in on_sqlite
    assert "resource.rid IN (SELECT" in on_sqlite
    assert "= 1" not in on_sqlite, "that would walk all resources"


def test_a_plain_criterion_stays_a_selection() -> None:
    query = parse("Patient", [("identifier", "urn:x|1")], Limits()).granted(Access.system("tests"))
    assert "ARRAY" not in str(driven(query, query.criteria[0]).compile(dialect=postgresql.dialect()))


def test_a_key_that_drives_by_itself_is_joined_where_its_table_may_be_in_parts() -> None:
    """As `rid IN (…)`, PostgreSQL 15 reads all rows of a common key to find a few: sorted searches took twice as
    long."""
    query = parse("Task", [("status", "requested"), ("patient", "Patient/1")], Limits())
    for chosen in query.criteria:
        assert "JOIN index_token" in str(driven(query, chosen, joins=True))
        assert "JOIN index_token" not in str(driven(query, chosen))
    several = parse("Task", [("status", "requested,accepted")], Limits())
    assert "JOIN index_token" not in str(driven(several, several.criteria[0], joins=True))
