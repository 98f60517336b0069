"""Page links: forged, lent, kept or turned to another search, they open nothing."""

from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.problems import Problem
from hub.search.cursor import MAX_LENGTH, seal, unseal

SECRET = b"s" * 32


@given(st.text(max_size=20), st.text(max_size=50), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2))
def test_a_cursor_gives_back_its_position(owner: str, query: str, position: list[int]) -> None:
    assert unseal(SECRET, seal(SECRET, owner, query, position, 100), owner, query, 100) == position


@pytest.mark.parametrize(
    ("secret", "owner", "query", "now", "kind"),
    [
        (b"t" * 32, "a", "q", 1, "invalid"),
        (SECRET, "b", "q", 1, "not-found"),
        (SECRET, "a", "r", 1, "not-found"),
        (SECRET, "a", "q", 101, "expired"),
        (SECRET, "b", "q", 101, "not-found"),
    ],
)
def test_a_cursor_opens_for_its_client_search_and_time_only(
    secret: bytes, owner: str, query: str, now: int, kind: str
) -> None:
    with pytest.raises(Problem) as caught:
        unseal(secret, seal(SECRET, "a", "q", [1], 100), owner, query, now)
    assert caught.value.kind == kind


@given(st.data())
def test_any_changed_cursor_is_refused(data: st.DataObject) -> None:
    good = seal(SECRET, "a", "q", [1, 2], 100)
    place = data.draw(st.integers(0, len(good) - 1))
    changed = good[:place] + data.draw(st.text(max_size=2)) + good[place + 1 :]
    if changed != good:
        with pytest.raises(Problem) as caught:
            unseal(SECRET, changed, "a", "q", 1)
        assert caught.value.kind == "invalid"


@given(st.text())
def test_any_text_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(Problem) as caught:
        unseal(SECRET, text, "a", "q", 1)
    assert caught.value.kind == "invalid"


def test_nothing_of_a_position_can_be_read() -> None:
    position = [1_795_361_275_000_001, 7_345_112_009]
    cursor = seal(SECRET, "harbor-client", "Observation?code=x", position, 1_795_361_999)
    seen = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)) + cursor.encode()
    for known in (b"harbor", b"1795361275", b"7345112009", b"1795361999", b"Observation"):
        assert known not in seen
    for number in position:
        assert number.to_bytes(8, "big") not in seen
        assert number.to_bytes(8, "little") not in seen


def test_two_cursors_of_one_position_cannot_be_told_to_be_that() -> None:
    assert seal(SECRET, "a", "q", [1], 100) != seal(SECRET, "a", "q", [1], 100)


def test_the_length_of_a_cursor_is_bounded() -> None:
    longest = seal(SECRET, "c" * 255, "q" * 5000, [2**63 - 1] * 40, 2**40)
    assert len(longest) <= MAX_LENGTH
    assert unseal(SECRET, longest, "c" * 255, "q" * 5000, 1) == [2**63 - 1] * 40


def test_a_cursor_that_only_was_encoded_is_refused() -> None:
    """As the hub wrote them once: readable, with a MAC behind."""
    with pytest.raises(Problem) as caught:
        unseal(SECRET, "WyJhIiwgIngiLCBbMV0sIDEwMF0.AAAAAAAAAAAAAAAAAAAAAA", "a", "q", 1)
    assert caught.value.kind == "invalid"
