from __future__ import annotations

import ipaddress

import pytest

from holdfast_status_api.webhooks.addresses import AddressRules, RefusedAddressError, Target

_STRICT = AddressRules()
_LOCAL = AddressRules(loopback=True, private=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "0.0.0.0",  # noqa: S104 - refused
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
    ],
)
def test_what_no_webhook_may_reach_is_refused_whatever_the_settings(address: str) -> None:
    parsed = ipaddress.ip_address(address)
    assert _STRICT.refusal(parsed) is not None
    assert _LOCAL.refusal(parsed) is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_needs_its_setting(address: str) -> None:
    parsed = ipaddress.ip_address(address)
    assert _STRICT.refusal(parsed) == "a loopback address"
    assert AddressRules(private=True).refusal(parsed) == "a loopback address"
    assert AddressRules(loopback=True).refusal(parsed) is None


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12::1"]
)
def test_private_networks_need_their_setting(address: str) -> None:
    parsed = ipaddress.ip_address(address)
    assert _STRICT.refusal(parsed) == "a private address"
    assert AddressRules(loopback=True).refusal(parsed) == "a private address"
    assert AddressRules(private=True).refusal(parsed) is None


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::8.8.8.8"])
def test_the_public_internet_is_allowed(address: str) -> None:
    assert _STRICT.refusal(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "file:///etc/passwd",
        "//example.com/",
        "http://",
        "http://user:pass@example.com/",
        "http://example.com:99999/",
        "http://example.com:0/",
        "http://example.com/#part",
        "http://example.com/a b",
        "http://example.com/\r\nX-Evil: 1",
        "http://exämple.com/",
        "http://[::1",
        "http://example.com/" + "a" * 2048,
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        Target.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://localhost:8080/hook",
        "http://[::ffff:127.0.0.1]/",
    ],
)
def test_the_address_counts_and_not_how_it_is_written(url: str) -> None:
    with pytest.raises(RefusedAddressError, match="loopback"):
        Target.parse(url).resolve(_STRICT)
    assert Target.parse(url).resolve(_LOCAL)


def test_a_port_is_taken_from_the_url_or_the_scheme() -> None:
    assert Target.parse("https://example.com/x").port == 443
    assert Target.parse("http://example.com/x").port == 80
    assert Target.parse("https://example.com:8443/x").port == 8443
