from pathlib import Path

import pytest

from fhir_mappings.adt.codes import SHIPPED, CodeTables
from fhir_mappings.adt.problems import UnmappedCode
from tests.fhir_mappings.adt.stay import TABLES

NUBC = "https://www.nubc.org/CodeSystem/PatDischargeStatus"
DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"


@pytest.mark.parametrize("table", sorted(path.stem for path in SHIPPED.glob("*.csv")))
def test_every_shipped_table_has_rows_and_no_row_twice(table: str) -> None:
    rows = [(code, target) for code, targets in TABLES.tables[table].items() for target in targets]
    assert rows
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(
    ("table", "code", "target"),
    [
        ("0001", "F", "female"),
        ("0001", "A", "other"),
        ("0004", "E", "EMER"),
        ("0004", "I", "IMP"),
        ("0004", "O", "AMB"),
        ("0004", "P", "PRENC"),
        ("0004", "V", "OBSENC"),
        ("0004", "S", "SS"),
        ("0004", "R", "R"),  # v3-ActCode has no recurring patient: the code of table 0004 stays
        ("0063", "SPO", "SPS"),
        ("0112", "01", "home"),
        ("0112", "1", "home"),
        ("0112", "02", "other-hcf"),  # FHIR's `hosp` is hospice
        ("0112", "03", "snf"),
        ("0112", "07", "aadvice"),
        ("0112", "20", "exp"),
        ("0112", "50", "hosp"),
        ("0112", "65", "psy"),
        ("0112", "82", "other-hcf"),
        ("0190-use", "H", "home"),
        ("0202-use", "CP", "mobile"),
    ],
)
def test_a_code_means_what_the_guide_says(table: str, code: str, target: str) -> None:
    assert TABLES.code(table, code, "X-1") == target


def test_a_discharge_disposition_keeps_the_billing_code_beside_the_fhir_code() -> None:
    concept = TABLES.concept("0112", "03", "PV1-36")
    assert [(coding["system"], coding["code"]) for coding in concept["coding"]] == [
        (DISPOSITION, "snf"),
        (NUBC, "03"),
    ]


@pytest.mark.parametrize(
    ("table", "code"), [("0001", "Q"), ("0004", "X"), ("0005", "W"), ("0112", "HOTEL"), ("0063", ""), ("9999", "X")]
)
def test_a_code_without_a_row_is_unmapped_and_never_a_default(table: str, code: str) -> None:
    with pytest.raises(UnmappedCode) as caught:
        TABLES.code(table, code, "PV1-36")
    assert (caught.value.state, caught.value.table, caught.value.code) == ("unmapped", table, code)
    assert str(caught.value) == f"unmapped: The code has no row in table {table} (PV1-36)"


def test_a_known_code_that_fhir_does_not_have_gives_nothing() -> None:
    assert TABLES.code("0200", "S", "PID-5") is None


def test_an_overlay_adds_and_replaces_rows_code_by_code(tmp_path: Path) -> None:
    rows = f"HOTEL,{DISPOSITION},oth,Other,site\n01,{DISPOSITION},alt-home,Alternative home,site\n"
    (tmp_path / "0112.csv").write_text("code,system,target,display,source\n" + rows)
    (tmp_path / "0086.csv").write_text("code,system,target,display,source\nMCAID,urn:x,M,,site\n")
    tables = CodeTables.load(tmp_path)
    found = [tables.code("0112", code, "PV1-36") for code in ("HOTEL", "01", "03")]
    assert found == ["oth", "alt-home", "snf"]
    assert tables.knows("0086", "MCAID")


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0112.csv").write_text("code,target\n01,home\n")
    with pytest.raises(ValueError, match=r"0112\.csv: columns"):
        CodeTables.load(tmp_path)
