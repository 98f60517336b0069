"""Layouts as data: what a TOML file may say, and which file has which."""

from pathlib import Path

import pytest

from adapters.files.layout_columns import columns_of
from adapters.files.layouts import Layouts, layouts_in
from adapters.files.lines import Line

BASE = """
kinds = ["mif"]
sheets = ["List"]
[[column]]
fact = "cin"
header = "Member CIN"
aliases = ["C.I.N."]
type = "cin"
required = true
[[column]]
fact = "gender"
header = "Sex"
type = "code"
codes = "gender"
[codes.gender]
F = "female"
"""


def folder(path: Path, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.toml").write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("header", ["Member CIN", "member_cin", " MEMBER  (CIN) ", "cin", "C.I.N."])
def test_a_header_fits_by_its_letters_and_digits_alone(tmp_path: Path, header: str) -> None:
    layout = Layouts.load(folder(tmp_path, a=BASE)).by_name["a"]
    assert layout.fitting([header])[header].fact == "cin"


def test_a_layout_of_a_later_folder_replaces_the_one_of_its_name(tmp_path: Path) -> None:
    shipped, own = folder(tmp_path / "1", a=BASE), folder(tmp_path / "2", a=BASE.replace("Member CIN", "Number"))
    assert Layouts.load(shipped, own).by_name["a"].columns[0].header == "Number"


def test_a_layout_that_extends_one_adds_columns_and_codes_to_it(tmp_path: Path) -> None:
    more = 'extends = "a"\n[[column]]\nfact = "tier"\nheader = "Tier"\n[codes.gender]\nX = "other"\n'
    found = Layouts.load(folder(tmp_path, a=BASE, b=more)).by_name["b"]
    assert [one.fact for one in found.columns] == ["cin", "gender", "tier"]
    assert found.codes["gender"] == {"x": "other", "f": "female"}
    assert found.kinds == ("mif",)


def test_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    folder(tmp_path, a=BASE)
    assert "b" not in layouts_in(tmp_path).by_name
    folder(tmp_path, b=BASE)
    assert "b" in layouts_in(tmp_path).by_name


@pytest.mark.parametrize(
    "text",
    [
        "kinds = [",
        "colour = 1\n" + BASE,
        BASE + "X = 1",
        BASE.replace('type = "cin"', 'type = "shoe"'),
        BASE.replace('codes = "gender"', 'codes = "sex"'),
        BASE.replace('header = "Sex"', 'header = "C I N"'),
        BASE.replace('fact = "gender"', 'fact = "cin"'),
        BASE.replace('kinds = ["mif"]', 'kinds = ["mif"]\nkey = ["tier"]'),
        'extends = "nothing"',
        'extends = "a"',
    ],
)
def test_a_layout_that_cannot_be_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"a\.toml"):
        Layouts.load(folder(tmp_path, a=text))


def test_two_layouts_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="extends"):
        Layouts.load(folder(tmp_path, a='extends = "b"', b='extends = "a"'))


def test_a_row_of_data_is_no_header(tmp_path: Path) -> None:
    layout = Layouts.load(folder(tmp_path, a=BASE)).by_name["a"]
    assert layout.has_header(["Member CIN", "Sex", ""])
    assert not layout.has_header(["91234567A", "F"])
    assert not layout.has_header(["CIN", "a", "b", "c", "d"])


def test_a_code_stays_as_it_was_written_until_it_is_asked_for(tmp_path: Path) -> None:
    layout = Layouts.load(folder(tmp_path, a=BASE)).by_name["a"]
    assert columns_of(layout).row(Line(2, {"Member CIN": "91234567A", "Sex": " f "})) == {
        "cin": "91234567A",
        "gender": "f",
    }
    gender = layout.column("gender")
    assert gender is not None
    assert layout.means(gender, " f ") == "female"
    assert layout.means(gender, "x") is None
    assert layout.says(gender, "female") == "f"
