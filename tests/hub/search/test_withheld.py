"""Who is shown some elements of a type searches by these, and by no others."""

import pytest

from auth.roles import elements_of_role
from hub.problems import Problem
from hub.search.query import Limits, parse
from hub.search.withheld import check
from hub.sight import ALL, Sight

SHOWN = Sight(elements=elements_of_role("ilos-provider"))
ASKED = {
    "ServiceRequest?patient=one": True,
    "ServiceRequest?subject=Patient/one": True,
    "ServiceRequest?authored=2026": True,
    "ServiceRequest?specimen=one": False,
    "ServiceRequest?body-site=a": False,
    "Task?patient=one": True,
    "Task?owner=Organization/one": True,
    "Patient?identifier=a|1": True,
    "Patient?birthdate=1990": True,
    "Patient?general-practitioner=one": False,
    "Patient?link=one": False,
}


@pytest.mark.parametrize(("asked", "is_shown"), ASKED.items())
def test_a_search_is_for_who_is_shown_what_it_looks_at(asked: str, is_shown: bool) -> None:
    kind, _, pair = asked.partition("?")
    name, _, value = pair.partition("=")
    query = parse(kind, ((name, value),), Limits())
    check(iter(query.criteria), iter(()), ALL)
    if is_shown:
        check(iter(query.criteria), iter(()), SHOWN)
        return
    with pytest.raises(Problem) as refused:
        check(iter(query.criteria), iter(()), SHOWN)
    assert refused.value.kind == "forbidden"
