"""X12 files made for tests: envelopes around what a test says, counted right unless it says otherwise."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ISA = "ISA*00*          *00*          *ZZ*{sender:15}*30*{receiver:15}*261101*1930*^*00501*{control}*{asks}*T*:"
SENDER, RECEIVER = "CADHCS_5010_834", "999999991"
V834, V837P, V837I = "005010X220A1", "005010X222A1", "005010X223A2"


def transaction(body: Iterable[str], control: str = "0001", name: str = "834", version: str = V834) -> list[str]:
    """ST to SE."""
    segments = [f"ST*{name}*{control}*{version}", *body]
    return [*segments, f"SE*{len(segments) + 1}*{control}"]


def group(sets: Sequence[Sequence[str]], control: str = "1", kind: str = "BE", version: str = V834) -> list[str]:
    header = f"GS*{kind}*{SENDER}*{RECEIVER}*20261101*1930*{control}*X*{version}"
    return [header, *(segment for one in sets for segment in one), f"GE*{len(sets)}*{control}"]


def interchange(groups: Sequence[Sequence[str]], control: str = "000000001", asks: str = "0") -> list[str]:
    header = ISA.format(sender=SENDER, receiver=RECEIVER, control=control, asks=asks)
    return [header, *(segment for one in groups for segment in one), f"IEA*{len(groups)}*{control}"]


def file_834(*bodies: Iterable[str]) -> list[str]:
    """One interchange with one group; a transaction set for each body."""
    sets = [transaction(body, f"{number:04}") for number, body in enumerate(bodies, 1)]
    return interchange([group(sets)])


def file_837(*bodies: Iterable[str], version: str = V837P) -> list[str]:
    sets = [transaction(body, f"{number:04}", "837", version) for number, body in enumerate(bodies, 1)]
    return interchange([group(sets, kind="HC", version=version)])


def text(segments: Iterable[str], end: str = "~\n") -> bytes:
    return "".join(f"{segment}{end}" for segment in segments).encode()


def written(path: Path, segments: Iterable[str], end: str = "~\n") -> Path:
    path.write_bytes(text(segments, end))
    return path


def replaced(segments: Iterable[str], start: str, by: str) -> Iterator[str]:
    """The segments, those that begin so replaced."""
    return (by if segment.startswith(start) else segment for segment in segments)
