"""Where a webhook may go (W01, SEC-30)."""

import pytest

from hub.notifications.addresses import is_public, refusal

REFUSED = [
    "adfdf",
    "",
    "http://receiver.example.org/hook",
    "http://receiver.example.org:443/hook",
    "http://receiver.example.org:8080/hook",
    "HTTPS://receiver.example.org/hook",
    "ftp://receiver.example.org/",
    "file:///etc/passwd",
    "gopher://receiver.example.org/",
    "https://",
    "https:///hook",
    "//receiver.example.org/hook",
    "https://localhost/hook",
    "https://LOCALHOST/hook",
    "https://localhost./hook",
    "https://printer.local/",
    "https://a.localhost/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://intranet/hook",
    "https://printer/hook",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://0.0.0.0/",
    "https://0/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://169.254.169.254/latest/meta-data/",
    "https://168.63.129.16/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://192.88.99.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[:::]/",
    "https://user:pass@receiver.example.org/",
    "https://receiver.example.org@127.0.0.1/",
    "https://127.0.0.1#@receiver.example.org/",
    "https://receiver.example.org\\@127.0.0.1/",
    "https://receiver.example.org/#fragment",
    "https://receiver.example.org/ hook",
    "https://receiver.example.org/\r\nX: y",
    "https://receiver.example.org/hook\n",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://rëceiver.example.org/",
    "https://%6c%6fcalhost/",
    "https://receiver.example.org:22/",
    "https://receiver.example.org:25/",
    "https://receiver.example.org:80/",
    "https://receiver.example.org:0/",
    "https://receiver.example.org:65536/",
    "https://receiver.example.org:443:22/",
    "https://-receiver.example.org/",
    "https://receiver..example.org/",
    "https://" + "a" * 64 + ".example.org/",
    "https://receiver.example.org/" + "a" * 2048,
]

ACCEPTED = [
    "https://receiver.example.org",
    "https://receiver.example.org/",
    "https://receiver.example.org./hook",
    "https://Receiver.Example.org/hook?tenant=a&b=%20c",
    "https://receiver.example.org:8443/a/b;c=d/@me",
    "https://xn--rceiver-bya.example.org/",
    "https://8.8.8.8/hook",
    "https://[2606:4700::1111]/hook",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_endpoint_that_is_not_plain_https_to_a_public_host_is_refused(url: str) -> None:
    assert refusal(url, ())


@pytest.mark.parametrize("url", ACCEPTED)
def test_https_to_a_public_host_is_accepted(url: str) -> None:
    assert refusal(url, ()) == ""


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:9000/hook", ("127.0.0.1:9000",)),
        ("http://127.0.0.1:9000/hook", ("127.0.0.1",)),
        ("http://receiver/hook", ("receiver:80",)),
        ("https://RECEIVER:22/hook", ("Receiver",)),
        ("http://[::1]:9000/hook", ("[::1]:9000",)),
        ("http://[::1]:9000/hook", ("[::1]",)),
    ],
)
def test_a_listed_host_may_be_http_and_private(url: str, allowed: tuple[str, ...]) -> None:
    assert refusal(url, allowed) == ""


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:9001/hook", ("127.0.0.1:9000",)),
        ("http://receiver.evil.example/hook", ("receiver",)),
        ("http://evil-receiver/hook", ("receiver",)),
        ("http://receiver:8080/hook", ("receiver:80",)),
        ("http://receiver@127.0.0.1/hook", ("receiver",)),
        ("http://user@receiver/hook", ("receiver",)),
        ("http://127.0.0.1/", ("",)),
    ],
)
def test_a_listed_host_lists_no_other(url: str, allowed: tuple[str, ...]) -> None:
    assert refusal(url, allowed)


@pytest.mark.parametrize(
    "address",
    ["", "receiver.example.org", "127.0.0.1", "::ffff:8.8.8.8", "fe80::1%eth0", "2606:4700::1111%eth0", "1.1"],
)
def test_what_is_not_a_public_address_is_none(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_a_public_address_is_one(address: str) -> None:
    assert is_public(address)
