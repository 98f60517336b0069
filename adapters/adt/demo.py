"""The demo county's hospitals as facilities, and an admission and a discharge of a demo member to send.

Synthetic: names come from hub.demo, numbers belong to nobody.
"""

import csv
import io
from datetime import datetime, time, timedelta
from itertools import count
from pathlib import Path

from hub.demo.members import Member, member
from hub.demo.organizations import HOSPITALS
from hub.demo.people import mrn
from hub.demo.scenario import Scenario
from hub.fhir.systems import OWN, mrn_system

COLUMNS = ("facility", "name", "mrn_system", "visit_system", "time_zone", "npi")
EVENTS = {"A01": "admission", "A03": "discharge"}


def facilities_csv() -> str:
    """HUB_FACILITIES_FILE for the demo's hospitals."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for place in HOSPITALS:
        code = place.facility
        visits = f"{OWN}sid/visit/{code.lower()}"
        rows.writerow((code, place.name, mrn_system(code), visits, "America/Los_Angeles", ""))
    return text.getvalue()


def admission_files(folder: Path, facilities_file: Path) -> None:
    """The first demo member with a record number at the general hospital comes in, and leaves three days later.
    Files that are there already stay: somebody may have changed them."""
    scenario = Scenario()
    chosen = next(m for n in count(1) if (m := member(scenario, n)).mrn_hospital == HOSPITALS[0])
    born = scenario.day(chosen.born).replace("-", "")
    admitted = datetime.combine(scenario.anchor, time(8, 30))
    wanted = {facilities_file: facilities_csv()}
    for name, text in messages(chosen, born, admitted).items():
        wanted[folder / name] = text
    for path, text in wanted.items():
        if not path.exists():
            path.write_text(text, encoding="utf-8", newline="")


def messages(member: Member, born: str, admitted: datetime) -> dict[str, str]:
    """File name → message: the member comes in, and leaves three days later. `born` is YYYYMMDD."""
    leaves = admitted + timedelta(days=3)
    return {
        f"{EVENTS['A01']}.hl7": _message("A01", member, born, admitted, admitted, None),
        f"{EVENTS['A03']}.hl7": _message("A03", member, born, leaves, admitted, leaves),
    }


def _message(
    event: str, member: Member, born: str, at: datetime, admitted: datetime, discharged: datetime | None
) -> str:
    facility = HOSPITALS[0].facility
    sex = {"female": "F", "male": "M"}.get(member.gender, "U")
    left = f"01||||||||{_stamp(admitted)}|{_stamp(discharged)}" if discharged else f"||||||||{_stamp(admitted)}"
    numbers = f"{mrn(member)}^^^{facility}^MR~{member.cin}^^^MEDI-CAL^MA"
    segments = (
        f"MSH|^~\\&|DEMOADT|{facility}|HUB|COUNTY|{_stamp(at)}||ADT^{event}^ADT_A01|DEMO-{event}-{member.key}|P|2.5.1",
        f"EVN|{event}|{_stamp(at)}",
        f"PID|1||{numbers}||{member.family}^{member.given}||{born}|{sex}|||1 Nowhere Street^^Exampleton^CA^00000",
        f"PV1|1|I|4 EAST^401^A^{facility}||||||||||||||||V{member.key}|||||||||||||||||{left}",
    )
    return "".join(f"{segment}\r" for segment in segments)


def _stamp(moment: datetime | None) -> str:
    return moment.strftime("%Y%m%d%H%M%S") if moment else ""
