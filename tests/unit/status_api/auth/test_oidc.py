from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from holdfast_status_api.auth import keys
from holdfast_status_api.auth.callers import Caller, Role
from holdfast_status_api.auth.keys import Keys, KeysUnavailableError
from holdfast_status_api.auth.oidc import LEEWAY_SECONDS, Issuer
from holdfast_status_api.auth.refusals import InvalidTokenError
from tests.support.http_server import Answer, running_site
from tests.support.issuer import AUDIENCE, TestIssuer

ISSUER = TestIssuer()


def issuer(
    load: Callable[[], bytes] = ISSUER.jwks,
    role_claim: str = "role",
    roles: dict[str, Role] | None = None,
) -> Issuer:
    return Issuer(ISSUER.name, AUDIENCE, Keys(load), role_claim, roles or {})


@pytest.mark.parametrize(
    ("algorithm", "key_id"),
    [("RS256", "rsa"), ("RS512", "rsa"), ("PS256", "rsa"), ("ES256", "ec")],
)
def test_a_good_token_names_its_caller(algorithm: str, key_id: str) -> None:
    who = issuer().identify(ISSUER.token(algorithm=algorithm, key_id=key_id))
    assert who == Caller("ada", frozenset({Role.OPERATOR}))


@pytest.mark.parametrize("fault", sorted(ISSUER.wrong_tokens()))
def test_a_wrong_token_names_nobody(fault: str) -> None:
    with pytest.raises(InvalidTokenError):
        issuer().identify(ISSUER.wrong_tokens()[fault])


def test_the_clocks_may_differ_a_little_and_no_more() -> None:
    now = ISSUER.claims()["iat"]
    assert issuer().identify(ISSUER.token(exp=now - LEEWAY_SECONDS + 10)).subject == "ada"
    with pytest.raises(InvalidTokenError, match="expired"):
        issuer().identify(ISSUER.token(exp=now - LEEWAY_SECONDS - 10))


@pytest.mark.parametrize(
    ("claim", "value", "mapping", "expected"),
    [
        ("role", "viewer", {}, {Role.VIEWER}),
        ("role", ["operator", "approver", "other"], {}, {Role.OPERATOR, Role.APPROVER}),
        ("role", "Admin", {}, set()),
        ("role", None, {}, set()),
        ("role", {"admin": True}, {}, set()),
        ("role", [["admin"], 1, None], {}, set()),
        ("groups", ["ops", "x"], {"ops": Role.OPERATOR}, {Role.OPERATOR}),
        # With a mapping, a group that happens to be called admin is nobody's admin.
        ("groups", ["admin"], {"ops": Role.OPERATOR}, set()),
        ("realm_access.roles", ["admin"], {}, set()),
    ],
)
def test_roles_come_from_the_claim_and_from_nowhere_else(
    claim: str, value: object, mapping: dict[str, Role], expected: set[Role]
) -> None:
    who = issuer(role_claim=claim, roles=mapping).identify(ISSUER.token(role=None, groups=value))
    if claim == "role":
        who = issuer(roles=mapping).identify(ISSUER.token(role=value))
    assert who.roles == expected


def test_a_claim_may_be_nested() -> None:
    token = ISSUER.token(role=None, realm_access={"roles": ["approver"]})
    assert issuer(role_claim="realm_access.roles").identify(token).roles == {Role.APPROVER}


def test_one_key_without_an_id_is_enough() -> None:
    jwk = RSAAlgorithm.to_jwk(ISSUER.rsa.public_key(), as_dict=True)
    alone = issuer(lambda: json.dumps({"keys": [jwk]}).encode())
    assert alone.identify(ISSUER.token(key_id=None)).subject == "ada"


@pytest.mark.parametrize("change", [{"use": "enc"}, {"alg": "RS512"}, {"kty": "oct", "k": "AAAA"}])
def test_a_key_is_used_for_what_it_is_and_nothing_else(change: dict[str, str]) -> None:
    jwks = json.loads(ISSUER.jwks())
    jwks["keys"][0].update(change)
    with pytest.raises(InvalidTokenError, match="not the issuer's"):
        issuer(lambda: json.dumps(jwks).encode()).identify(ISSUER.token())


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits")
def test_a_short_key_is_not_used() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    weak = TestIssuer(rsa=short)
    with pytest.raises(InvalidTokenError, match="not the issuer's"):
        issuer(weak.jwks).identify(weak.token())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1]}',
        b" " * 600_000,
        b"[" * 100_000,
        json.dumps({"keys": [{"kty": "RSA"}] * 65}).encode(),
    ],
    ids=lambda raw: raw[:12].decode() or "empty",
)
def test_what_is_no_key_set_is_not_taken(raw: bytes) -> None:
    with pytest.raises(KeysUnavailableError):
        issuer(lambda: raw).identify(ISSUER.token())


def test_unknown_keys_do_not_make_the_issuer_be_asked_again_and_again() -> None:
    asked: list[int] = []

    def load() -> bytes:
        asked.append(1)
        return ISSUER.jwks()

    mine = issuer(load)
    for number in range(100):
        with pytest.raises(InvalidTokenError):
            mine.identify(ISSUER.token(key_id=f"unknown-{number}"))
    assert mine.identify(ISSUER.token()).subject == "ada"
    assert len(asked) == 1


def test_a_new_key_is_found_and_old_ones_outlive_an_issuer_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keys, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(keys, "_FRESH_SECONDS", 0.0)
    new = TestIssuer()
    answers = [ISSUER.jwks(), new.jwks()]

    def load() -> bytes:
        if not answers:
            raise OSError("the issuer is away")
        return answers.pop(0)

    mine = issuer(load)
    assert mine.identify(ISSUER.token()).subject == "ada"
    assert mine.identify(new.token(sub="bo")).subject == "bo"
    assert mine.identify(new.token(sub="cy")).subject == "cy"


def test_keys_are_found_where_the_issuer_says_and_fetched_once() -> None:
    with running_site() as site:
        discovery = {"issuer": site.url, "jwks_uri": f"{site.url}/keys"}
        site.answers[:] = [Answer(body=json.dumps(discovery).encode()), Answer(body=ISSUER.jwks())]
        found = Keys(keys.discovered(site.url))
        for _ in range(5):
            assert found.find("rsa", "RS256") is not None
        assert [request.path for request in site.requests] == [
            "/.well-known/openid-configuration",
            "/keys",
        ]


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://other.example", "jwks_uri": "https://other.example/keys"},
        {"issuer": "SITE", "jwks_uri": "http://keys.example/keys"},
        {"issuer": "SITE", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "SITE"},
        [],
    ],
)
def test_a_discovery_document_that_leads_elsewhere_is_not_followed(discovery: object) -> None:
    with running_site() as site:
        site.answers[:] = [Answer(body=json.dumps(discovery).replace("SITE", site.url).encode())]
        with pytest.raises(KeysUnavailableError):
            Keys(keys.discovered(site.url)).find("rsa", "RS256")
        assert len(site.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500),
        Answer(status=302, headers={"location": "http://127.0.0.1:1/keys"}),
        Answer(body=b" " * 1_000_000 + ISSUER.jwks()),
    ],
)
def test_an_answer_that_is_not_right_is_no_key_set(answer: Answer) -> None:
    with running_site() as site:
        site.answers[:] = [answer]
        with pytest.raises(KeysUnavailableError):
            Keys(keys.from_url(site.url)).find("rsa", "RS256")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://issuer.example", True),
        ("http://127.0.0.1:8080", True),
        ("http://issuer.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("issuer.example", False),
    ],
)
def test_keys_come_by_https_or_from_this_machine(url: str, *, safe: bool) -> None:
    assert keys.is_safe_url(url) is safe
