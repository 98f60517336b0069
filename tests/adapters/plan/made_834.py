"""Members of an invented plan as 834 segments in the shape of DHCS: one as a test says, or as many as wanted."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.adapters.x12.made import RECEIVER, V834, interchange

LETTERS = "ACDEFGHMNTUVWXYZ"
PLAN = "999999991"


def header(
    kind: str = "2", name: str = "DHCS834-DA-20261101-Invented Plan-010-001", count: int | None = None
) -> list[str]:
    """BGN to N1*IN; `kind` is BGN08."""
    counted = [f"QTY*TO*{count}"] if count is not None else []
    return [
        f"BGN*00*{name}*20261101*19300000****{kind}",
        *counted,
        "N1*P5*California Department of Health Care Services.........*FI*999999990",
        f"N1*IN*Invented Plan Inc.*FI*{PLAN}",
    ]


def cin(number: int) -> str:
    return f"9{number % 10_000_000:07}{LETTERS[number // 10_000_000 % len(LETTERS)]}"


def coverage(
    hcp: str = "010;01", start: str = "20261101", end: str = "20261130", code: str = "021", share: str = ""
) -> list[str]:
    """`share`: of cost, in dollars."""
    return [
        f"HD*{code}**LTC*{hcp}",
        f"DTP*348*D8*{start}",
        *([f"DTP*349*D8*{end}"] if end else []),
        *([f"AMT*R*{share}"] if share else []),
        "REF*17*F;;;;1",
        "REF*9V*2;2;2",
        "REF*CE*60;401;80;891;;;;",
        "REF*RB*60",
        "REF*ZX*19",
        "REF*ZZ*;;10",
    ]


def member(
    number: int = 1,
    maintenance: str = "001",
    coverages: Sequence[Sequence[str]] | None = None,
    last: str = "",
    **changed: str,
) -> list[str]:
    """INS to the end of the HD loops. `changed`: a segment in place of the one of its name, such as DMG=...;
    for REF, REF_17=...; empty leaves it out."""
    facts = {
        "INS": f"INS*Y*18*{maintenance}*AI*A*C**AC",
        "REF_0F": f"REF*0F*INV{number:07}",
        "REF_1L": f"REF*1L*{cin(number)}",
        "REF_17": "REF*17*202705;;202611;",
        "REF_23": "REF*23*4;20200101;;",
        "REF_3H": f"REF*3H*19;60;CASE{number:06};;",
        "REF_6O": "REF*6O*;W;Y;;60;",
        "REF_ZZ": "REF*ZZ*01001;;;;;30401;;;;",
        "NM1": f"NM1*IL*1*{last or f'INVENTED{number}'}*ANY*M",
        "PER": f"PER*IP**TE*555{number % 10_000_000:07}",
        "N3": f"N3*{number} EXAMPLE STREET",
        "N4": "N4*LOS ANGELES CA*CA*90019**CY*19",
        "DMG": f"DMG*D8*19{number % 80 + 10:02}0{number % 9 + 1}1{number % 9}*F**:RET:2054-5",
        "LUI": "LUI*LD*SPA**7",
    }
    told = [segment for segment in {**facts, **changed}.values() if segment]
    loops = [coverage()] if coverages is None else coverages
    return [*told, *(segment for loop in loops for segment in loop)]


def body(members: Iterable[Sequence[str]], **how: str) -> list[str]:
    listed = list(members)
    return [*header(count=len(listed), **how), *(segment for one in listed for segment in one)]


def large(path: Path, members: int) -> Path:
    """One transaction set with so many members, written as it is made."""
    first, last = interchange([[]])
    with path.open("w", encoding="ascii") as file:
        for segment in (first, *_large(members), last):
            file.write(segment + "~")
    return path


def _large(members: int) -> Iterator[str]:
    yield f"GS*BE*CADHCS_5010_834*{RECEIVER}*20261101*1930*1*X*{V834}"
    yield f"ST*834*0001*{V834}"
    count = 2
    for segment in header(count=members):
        count += 1
        yield segment
    for number in range(members):
        for segment in member(number):
            count += 1
            yield segment
    yield f"SE*{count}*0001"
    yield "GE*1*1"
