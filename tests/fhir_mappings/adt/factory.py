"""ADT messages by arguments, in invented data. `fields` overrides single fields: {"PID-8": "Q", "NK1": None}.

A value of None takes a whole segment out; a key such as "NK1#2-2" speaks of the second NK1.
"""

from collections.abc import Mapping

SEGMENTS = (
    *("MSH", "EVN", "PID", "PD1", "ROL", "ROL#2", "PRT", "NK1", "NK1#2", "PV1", "PV2", "AL1", "AL1#2"),
    *("IAM", "DG1", "DG1#2", "IN1", "IN2", "IN1#2", "IN2#2", "MRG", "PID#2", "MRG#2", "ZPV"),
)
DOCTOR = "1234567893^Testdoctor-Birch^Pat^^^Dr.^^^NPI^^^^NPI"


def adt(
    event: str = "A01",
    control_id: str = "MSG00001",
    *,
    mrn: str = "SMC0012345",
    cin: str | None = "91234567A",
    visit: str = "V1000123",
    at: str = "20261122081530",
    admitted: str = "20261122081500",
    discharged: str = "",
    facility: str = "SMC",
    version: str = "2.5.1",
    charset: str = "UNICODE UTF-8",
    fields: Mapping[str, str | None] | None = None,
    encoding: str = "utf-8",
    line_end: str = "\r",
) -> bytes:
    """One message as bytes. Times without offset are Pacific time for the facility of the tests."""
    member = f"~{cin}^^^MEDI-CAL^MA" if cin else ""
    values: dict[str, dict[int, str]] = {
        "MSH": {3: "EPICADT", 4: facility, 5: "CALAIMHUB", 6: "HUB", 7: at, 9: f"ADT^{event}^ADT_{event}"}
        | {10: control_id, 11: "P", 12: version, 18: charset},
        "EVN": {1: event, 2: at},
        "PID": {1: "1", 3: f"{mrn}^^^{facility}^MR{member}", 5: "Testperson-Alder^Robin^Q^^^^L", 7: "19800215"}
        | {8: "F", 11: "12 Sample St^Apt 4^Sacramento^CA^95814^USA^H", 13: "^PRN^PH^^1^916^5550101", 16: "S"},
        "PV1": {1: "1", 2: "I", 3: "4W^412^B^SMC", 4: "E", 7: DOCTOR, 14: "7", 19: f"{visit}^^^{facility}^VN"}
        | {44: admitted, 45: discharged},
        "PV2": {3: "^Chest pain"},
        "NK1": {
            1: "1",
            2: "Testperson-Alder^Sam^^^^^L",
            3: "SPO^Spouse^HL70063",
            5: "^PRN^CP^^1^916^5550102",
            7: "C",
        },
        "IN1": {1: "1", 2: "MCAL^Medi-Cal Managed Care", 3: "610", 4: "Testplan Medi-Cal", 12: "20260101"}
        | {15: "MCAID", 17: "SEL", 36: cin or "T123456"},
    }
    for key, value in (fields or {}).items():
        _override(values, key, value)
    lines = [_line(name, values[name]) for name in SEGMENTS if name in values]
    return (line_end.join(lines) + line_end).encode(encoding)


def _override(values: dict[str, dict[int, str]], key: str, value: str | None) -> None:
    name, _, number = key.rpartition("-") if "-" in key else (key, "", "")
    if value is None:
        values.pop(name, None)
    else:
        values.setdefault(name, {})[int(number)] = value


def _line(name: str, numbers: dict[int, str]) -> str:
    kind = name.partition("#")[0]
    if kind == "MSH":
        return "MSH|^~\\&|" + "|".join(numbers.get(number, "") for number in range(3, max(numbers) + 1))
    return "|".join([kind, *(numbers.get(number, "") for number in range(1, max(numbers) + 1))])
