"""Each interaction asks the letter of its scope, and a refusal stores nothing."""

from typing import Any

import pytest

from tests.hub.asking import Api, patient, refused

# interaction -> (method, path, body), the letter of its scope
LETTERS: dict[str, tuple[str, str, Any, str]] = {
    "read": ("GET", "/Patient/1", None, "r"),
    "vread": ("GET", "/Patient/1/_history/1", None, "r"),
    "history": ("GET", "/Patient/1/_history", None, "r"),
    "history of a type": ("GET", "/Patient/_history", None, "s"),
    "head": ("HEAD", "/Patient/1", None, "r"),
    "search": ("GET", "/Patient", None, "s"),
    "count": ("GET", "/Patient?_count=0", None, "s"),
    "create": ("POST", "/Patient", patient(), "c"),
    "update": ("PUT", "/Patient/1", patient("1", active=True), "u"),
    "update that creates": ("PUT", "/Patient/2", patient("2"), "u"),
    "delete": ("DELETE", "/Patient/1", None, "d"),
    "conditional update": ("PUT", "/Patient?_id=1", patient("1", active=True), "us"),
    "conditional delete": ("DELETE", "/Patient?_id=1", None, "ds"),
}
HOLDERS = {"reader": "r", "searcher": "s", "creator": "c", "updater": "u", "deleter": "d", "patients": "cruds"}


@pytest.mark.parametrize("who", HOLDERS)
@pytest.mark.parametrize(("method", "path", "body", "letters"), LETTERS.values(), ids=LETTERS)
def test_each_interaction_asks_its_letter(
    api: Api, who: str, method: str, path: str, body: Any, letters: str
) -> None:
    api.have(patient("1"))
    before = api.counts()
    answer = api.as_(who).ask(method, path, body)
    if set(letters) <= set(HOLDERS[who]):
        assert answer.status_code < 300, answer.text
    elif method == "HEAD":
        assert answer.status_code == 403
    else:
        refused(answer, 403, "forbidden")
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
        assert api.counts() == before


def test_a_search_by_form_and_a_conditional_create_ask_the_letter_of_search(api: Api) -> None:
    refused(api.as_("reader").form("/Patient/_search", "active=true"), 403, "forbidden")
    refused(api.as_("creator").post("/Patient", patient(), If_None_Exist="active=true"), 403, "forbidden")
    refused(api.as_("patients").get("/Observation"), 403, "forbidden")
    assert api.as_("patients").get("/Patient").status_code == 200
    assert api.as_("searcher").form("/Patient/_search", "active=true").status_code == 200
