"""Narrative is shown in browsers: nothing in it may run, load from elsewhere or hide a document type.

Rules: https://hl7.org/fhir/R4/narrative.html
"""

import pytest

from conformance.validation.narrative import Unsafe, check

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'

UNSAFE = [
    "<script>alert(1)</script>",
    "<p onclick='x()'>a</p>",
    "<p ONCLICK='x()'>a</p>",
    "<a href='javascript:x()'>a</a>",
    "<a href='JaVa&#10;Script:x()'>a</a>",
    "<a href=' &#9;javascript:x()'>a</a>",
    "<a href='vbscript:x'>a</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>a</a>",
    "<img src='http://evil.invalid/a.png'/>",
    "<img src='//evil.invalid/a.png'/>",
    "<img src='/\\evil.invalid/a.png'/>",
    "<img src='data:image/svg+xml;base64,AAAA'/>",
    "<img src='x.png' onerror='x()'/>",
    "<iframe src='x'>a</iframe>",
    "<object data='x'>a</object>",
    "<form action='x'>a</form>",
    "<input value='x'/>",
    "<style>a{}</style>",
    "<link href='x'/>",
    "<svg xmlns='http://www.w3.org/2000/svg'>a</svg>",
    "<p xmlns='http://www.w3.org/2000/svg'>a</p>",
    "<h:script xmlns:h='http://www.w3.org/1999/xhtml'>a</h:script>",
    "<p style='background:url(http://evil.invalid/a)'>a</p>",
    "<p style='background:URL( \"//evil.invalid/a\" )'>a</p>",
    "<p style='width: expression(alert(1))'>a</p>",
    "<p style='background:u\\72l(http://evil.invalid)'>a</p>",
    "<p style='background:u/**/rl(http://evil.invalid)'>a</p>",
    "<p xlink:href='x' xmlns:xlink='http://www.w3.org/1999/xlink'>a</p>",
    "<?xml-stylesheet href='x'?>a",
    "<p>not closed",
    "&nbsp;",
    "a</div><div>b",
    "",
    " \n ",
    "<p> <br/> </p>",
]


@pytest.mark.parametrize("inside", UNSAFE)
def test_an_unsafe_narrative_is_refused(inside: str) -> None:
    with pytest.raises(Unsafe):
        check(f"<div {XHTML}>{inside}</div>")


@pytest.mark.parametrize(
    "div",
    [
        "<div>a</div>",
        "text",
        f"<p {XHTML}>a</p>",
        f"<?xml version='1.0'?><div {XHTML}>a</div>",
        f"<!DOCTYPE div><div {XHTML}>a</div>",
        f"<!DOCTYPE div [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><div {XHTML}>&b;</div>",
        f"<!DOCTYPE div SYSTEM 'file:///etc/passwd'><div {XHTML}>a</div>",
        f"<div {XHTML} onload='x()'>a</div>",
        f"<div {XHTML}>a</div><script/>",
    ],
)
def test_a_narrative_that_is_not_one_plain_div_is_refused(div: str) -> None:
    with pytest.raises(Unsafe):
        check(div)


@pytest.mark.parametrize(
    "inside",
    [
        "a",
        "<p class='x' id='y' title='z'>a &amp; b &#169; \U0001f600</p>",
        "<table border='1'><tbody><tr><td colspan='2'>a</td></tr></tbody></table>",
        "<a href='https://a.invalid/x?y=1&amp;z=2'>a</a><a href='mailto:a@b.invalid'>b</a><a name='n'>c</a>",
        "<a href='Patient/1'>a</a><a href='#x'>b</a>",
        "<img src='#pic'/>",
        "<img src='data:image/png;base64,AAAA' alt='x'/>",
        "<p style='color: red; background-image: url(local.png)' xml:lang='es'>a</p>",
        "<!-- a comment -->a",
    ],
)
def test_what_the_specification_allows_passes(inside: str) -> None:
    assert check(f"<div {XHTML}>{inside}</div>") is None
