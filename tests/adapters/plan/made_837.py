"""Claims of invented providers as 837 segments: one with what a test says."""

from collections.abc import Sequence

from tests.adapters.plan.made_834 import cin

NPI, DOCTOR = "1234567893", "1993999998"


def header(said: str = "20261105*0815") -> list[str]:
    return [
        f"BHT*0019*00*INV1*{said}*RP",
        "NM1*41*2*INVENTED SENDER*****46*12345",
        "PER*IC*ANY*TE*5550000000",
        "NM1*40*2*INVENTED RECEIVER*****46*67890",
    ]


def provider(number: int = 1, npi: str = NPI) -> list[str]:
    return [
        f"HL*{number}**20*1",
        f"NM1*85*2*INVENTED CLINIC*****XX*{npi}",
        "N3*1 EXAMPLE STREET",
        "N4*ANAHEIM*CA*928010000",
        "REF*EI*123456789",
    ]


def subscriber(number: int = 2, parent: int = 1, member: str = "") -> list[str]:
    return [
        f"HL*{number}*{parent}*22*0",
        "SBR*P*18*******MC",
        f"NM1*IL*1*INVENTED*ANY****MI*{member or cin(1)}",
        "N3*1 EXAMPLE STREET",
        "N4*ANAHEIM*CA*928010000",
        "DMG*D8*19600101*F",
        "NM1*PR*2*INVENTED PLAN*****PI*99999",
    ]


def claim(
    number: str = "CLAIM1",
    place: str = "11:B:1",
    diagnoses: str = "HI*ABK:E119*ABF:I10",
    more: Sequence[str] = (),
    lines: Sequence[Sequence[str]] | None = None,
) -> list[str]:
    listed = [professional()] if lines is None else lines
    numbered = [[f"LX*{place}", *line] for place, line in enumerate(listed, 1)]
    return [
        f"CLM*{number}*150***{place}*Y*A*Y*Y",
        *more,
        *([diagnoses] if diagnoses else []),
        f"NM1*82*1*DOCTOR*INVENTED****XX*{DOCTOR}",
        *(segment for line in numbered for segment in line),
    ]


def institutional(
    bill: str,
    number: str = "STAY1",
    cl1: str = "1*7*01",
    days: str = "20261101-20261104",
    more: Sequence[str] = (),
    lines: Sequence[Sequence[str]] = (),
) -> list[str]:
    """`bill`: type of bill and frequency, such as 11:A:1."""
    numbered = [[f"LX*{place}", *line] for place, line in enumerate(lines, 1)]
    return [
        f"CLM*{number}*9000***{bill}**A*Y*Y",
        f"DTP*434*RD8*{days}",
        "DTP*435*DT*202611010830",
        f"CL1*{cl1}",
        *more,
        "HI*ABK:I5021:::::::Y",
        f"NM1*71*1*DOCTOR*INVENTED****XX*{DOCTOR}",
        *(segment for line in numbered for segment in line),
    ]


def professional(code: str = "99213", on: str = "20261103", units: str = "1", points: str = "1") -> list[str]:
    return [f"SV1*HC:{code}*150*UN*{units}***{points}", f"DTP*472*D8*{on}"]


def revenue(revenue_code: str, code: str = "", on: str = "20261101") -> list[str]:
    procedure = f"HC:{code}" if code else ""
    return [f"SV2*{revenue_code}*{procedure}*500*UN*1", f"DTP*472*D8*{on}"]


def body(*claims: Sequence[str], said: str = "20261105*0815", member: str = "") -> list[str]:
    """One provider, one member, these claims."""
    told = [segment for one in claims for segment in one]
    return [*header(said), *provider(), *subscriber(member=member), *told]
