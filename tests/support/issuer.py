"""An OpenID Connect issuer with real keys, and tokens made in every wrong way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "holdfast"


@dataclass
class TestIssuer:
    """Makes tokens; ``name`` is its URL."""

    __test__ = False

    name: str = "https://issuer.example"
    rsa: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    ec: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def jwks(self) -> bytes:
        """Return the public keys."""
        return json.dumps(
            {
                "keys": [
                    {**RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True), "kid": "rsa"},
                    {**ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True), "kid": "ec"},
                ]
            }
        ).encode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return good claims with changes; what is changed to ``None`` is left out."""
        now = int(time.time())
        claims = {
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": "ada",
            "role": "operator",
            "iat": now,
            "exp": now + 300,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, key_id: str | None = "rsa", algorithm: str = "RS256", **changes: Any) -> str:
        """Return a signed token; good, but for the changes."""
        key: Any = self.ec if algorithm.startswith("ES") else self.rsa
        headers = {} if key_id is None else {"kid": key_id}
        return jwt.encode(self.claims(**changes), key, algorithm, headers)

    def wrong_tokens(self) -> dict[str, str]:
        """Return tokens none of which may be taken, by what is wrong with each."""
        past = int(time.time()) - 3600
        good = self.token()
        head, body, signature = good.split(".")
        other = TestIssuer(self.name)
        return {
            "expired": self.token(exp=past),
            "not valid yet": self.token(nbf=int(time.time()) + 3600),
            "without an expiry": self.token(exp=None),
            "without a subject": self.token(sub=None),
            "of an empty subject": self.token(sub=""),
            "of a subject with a line break": self.token(sub="ada\r\nX-Evil: 1"),
            "of another issuer": self.token(iss="https://other.example"),
            "without an issuer": self.token(iss=None),
            "for another audience": self.token(aud="somebody-else"),
            "without an audience": self.token(aud=None),
            "of an unknown key": self.token(key_id="unknown"),
            "of no key, where there are several": self.token(key_id=None),
            "of the key of another kind": self.token(key_id="ec"),
            "signed by another's key": other.token(),
            "without a signature": f"{head}.{body}.",
            "of another's signature": f"{head}.{body}.{other.token().split('.')[2]}",
            "of changed claims": f"{head}.{_part(self.claims(role='admin'))}.{signature}",
            "alg none": f"{_part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
            "alg None, as some spell it": f"{_part({'alg': 'NoNe', 'kid': 'rsa'})}.{body}.",
            "alg none, with a signature": f"{_part({'alg': 'none'})}.{body}.{signature}",
            "HS256 with the public key": self._symmetric(body, PublicFormat.SubjectPublicKeyInfo),
            "HS256 with the PKCS 1 key": self._symmetric(body, PublicFormat.PKCS1),
            "no algorithm": f"{_part({'kid': 'rsa'})}.{body}.{signature}",
            "an algorithm that is no text": f"{_part({'alg': 1, 'kid': 'rsa'})}.{body}.{signature}",
            "a key id that is no text": f"{_part({'alg': 'RS256', 'kid': [1]})}.{body}.{signature}",
            "a header without end": f"{_b64(b'[' * 5000)}.{body}.{signature}",
            "a header that is no JSON": f"{_b64(b'garbage')}.{body}.{signature}",
            "a header that is a list": f"{_part([])}.{body}.{signature}",
            "its own key in the header": self._own_key(),
            "too long": good + "A" * 9000,
            "garbage": "garbage",
            "garbage in three parts": "a.b.c",
        }

    def _symmetric(self, body: str, form: PublicFormat) -> str:
        """Sign with what everybody knows: the public key taken for a shared secret."""
        public = self.rsa.public_key().public_bytes(Encoding.PEM, form)
        head = _part({"alg": "HS256", "typ": "JWT", "kid": "rsa"})
        signature = hmac.digest(public, f"{head}.{body}".encode(), hashlib.sha256)
        return f"{head}.{body}.{_b64(signature)}"

    def _own_key(self) -> str:
        own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        jwk = RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
        headers = {"kid": "rsa", "jwk": jwk, "jku": "https://evil.example/keys"}
        return jwt.encode(self.claims(), own, "RS256", headers)


def _part(value: object) -> str:
    return _b64(json.dumps(value).encode())


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
