"""MLLP framing: the same frames come out however the network cuts the stream, and nothing is guessed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.adt.frames import FrameError, Splitter, framed

CONTENT = st.binary(max_size=40).map(lambda raw: raw.replace(b"\x0b", b".").replace(b"\x1c", b"."))
JUNK = st.binary(max_size=5).map(lambda raw: raw.replace(b"\x0b", b"."))
MARKS = st.lists(st.sampled_from([b"\x0b", b"\x1c", b"\r", b"a"]), max_size=30).map(b"".join)
CUTS = st.lists(st.integers(0, 200), max_size=12)


def split(chunks: list[bytes], max_bytes: int = 1000, tolerant: bool = False) -> tuple[list[bytes], str, Splitter]:
    """The frames, the error that ended them if any, and the splitter."""
    splitter, frames = Splitter(max_bytes, tolerant), []
    for chunk in chunks:
        splitter.feed(chunk)
        try:
            while (frame := splitter.next()) is not None:
                frames.append(frame)
        except FrameError as error:
            return frames, str(error), splitter
    return frames, "", splitter


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(st.tuples(JUNK, CONTENT), max_size=6), JUNK, CUTS)
def test_each_message_comes_out_once_in_order_however_the_stream_is_cut(
    sent: list[tuple[bytes, bytes]], end: bytes, places: list[int]
) -> None:
    stream = b"".join(junk + framed(content) for junk, content in sent) + end
    frames, error, splitter = split(cut(stream, places))
    assert (frames, error) == ([content for _, content in sent], "")
    assert splitter.dropped == sum(len(junk) for junk, _ in sent) + len(end)
    assert not splitter.is_half


@given(MARKS, CUTS)
def test_a_broken_stream_breaks_at_the_same_message_however_it_is_cut(stream: bytes, places: list[int]) -> None:
    whole, pieces = split([stream], max_bytes=4), split(cut(stream, places), max_bytes=4)
    assert pieces[0] == whole[0]
    assert bool(pieces[1]) == bool(whole[1])


def test_one_byte_at_a_time_makes_the_same_frames() -> None:
    stream = framed(b"one") + framed(b"") + framed(b"two\rlines")
    assert split([bytes([byte]) for byte in stream])[0] == [b"one", b"", b"two\rlines"]


def test_v01_bytes_outside_of_frames_are_dropped_and_counted() -> None:
    frames, error, splitter = split([b"noise", b"\n" + framed(b"one") + b"\r\n" + framed(b"two")])
    assert (frames, error, splitter.dropped) == ([b"one", b"two"], "", 8)


def test_v02_half_a_frame_is_no_frame() -> None:
    frames, error, splitter = split([b"\x0bhalf", b"\x1c"])
    assert (frames, error, splitter.is_half) == ([], "", True)


@pytest.mark.parametrize("after", [b"\n", b"\x0b", b"M"])
def test_v03_an_end_without_a_carriage_return_breaks_the_stream(after: bytes) -> None:
    assert split([framed(b"one") + b"\x0btwo\x1c" + after])[:2] == ([b"one"], "0x1C without 0x0D")


ENDS = st.sampled_from([b"\x1c\r", b"\x1c", b"\x1c\n"])


@given(st.lists(st.tuples(CONTENT, ENDS), max_size=6), CUTS)
def test_v03_a_tolerant_splitter_takes_any_end_however_the_stream_is_cut(
    sent: list[tuple[bytes, bytes]], places: list[int]
) -> None:
    stream = b"".join(b"\x0b" + content + end for content, end in sent)
    frames, error, splitter = split(cut(stream, places), tolerant=True)
    assert (frames, error, splitter.is_half) == ([content for content, _ in sent], "", False)
    assert splitter.dropped == sum(end.endswith(b"\n") for _, end in sent)


@pytest.mark.parametrize("chunks", [[b"\x0bone\x0btwo\x1c\r"], [b"\x0bone", b"\x0btwo\x1c\r"]])
def test_v04_a_start_inside_a_frame_never_joins_two_messages(chunks: list[bytes]) -> None:
    assert split(chunks)[:2] == ([], "0x0B inside a frame")


@pytest.mark.parametrize("end", [b"\x1c\r", b""])
def test_v06_a_frame_may_be_as_large_as_the_limit_and_no_larger(end: bytes) -> None:
    assert split([framed(b"x" * 10)], max_bytes=10)[0] == [b"x" * 10]
    assert split([b"\x0b" + b"x" * 11 + end], max_bytes=10)[:2] == ([], "the frame is too large")


def test_v07_an_empty_frame_is_a_frame() -> None:
    assert split([framed(b"")])[0] == [b""]


def test_a_large_frame_in_small_pieces_is_not_searched_again_and_again() -> None:
    splitter = Splitter(10 << 20)
    splitter.feed(b"\x0b")
    for _ in range(20_000):  # quadratic work would take minutes
        splitter.feed(b"x" * 400)
        assert splitter.next() is None
    splitter.feed(b"\x1c\r")
    assert splitter.next() == b"x" * 8_000_000


def test_what_was_read_does_not_stay_in_memory() -> None:
    splitter = Splitter(1000)
    for _ in range(1000):
        splitter.feed(framed(b"x" * 900) + b"\x0bhalf")
        assert splitter.next() == b"x" * 900
        assert splitter.next() is None
        splitter.feed(b"\x1c\r")
        assert splitter.next() == b"half"
    assert len(splitter._buffer) == 0
