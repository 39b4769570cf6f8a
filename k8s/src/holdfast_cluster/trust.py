"""The trust bundle of Dapr's control plane, made once and before its first start.

Three sentries that start together on an empty bundle each make a certificate authority, and the
last one to write wins: whoever has a certificate of another is refused until it starts again. Dapr
takes a bundle from outside (docs.dapr.io, *Setup & configure mTLS certificates*).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

#: The Secret that the sentries share.
BUNDLE = "dapr-trust-bundle"
_TRUST_DOMAIN = "cluster.local"
_FILES = {"root": "ca.crt", "issuer": "issuer.crt", "key": "issuer.key"}
#: As long as the one that a sentry makes.
_LIFETIME = timedelta(days=365)
_SKEW = timedelta(minutes=15)


def chart_values(secret: Mapping[str, Any] | None, namespace: str) -> dict[str, Any]:
    """Return the values that give Dapr's chart the bundle in the cluster, or a new one if none is.

    The same bundle goes in at each upgrade: Helm would take it away otherwise.
    """
    held = (secret or {}).get("data") or {}
    if all(name in held for name in _FILES.values()):
        pem = {part: base64.b64decode(held[name]).decode() for part, name in _FILES.items()}
    else:
        pem = make_bundle(namespace)
    return {
        "dapr_sentry": {
            "tls": {
                "root": {"certPEM": pem["root"]},
                "issuer": {"certPEM": pem["issuer"], "keyPEM": pem["key"]},
            }
        }
    }


def make_bundle(namespace: str) -> dict[str, str]:
    """Return a new root, an issuer that it signed, and the issuer's key, each as PEM.

    The root's key is forgotten: nothing else is ever signed with it.
    """
    root_key, issuer_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    root_name = _name(_TRUST_DOMAIN)
    issuer_name = _name(f"spiffe://{_TRUST_DOMAIN}/ns/{namespace}/dapr-sentry")
    root = _authority(root_name, root_key, root_name, root_key)
    issuer = _authority(issuer_name, issuer_key, root_name, root_key)
    key = issuer_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "root": root.public_bytes(serialization.Encoding.PEM).decode(),
        "issuer": issuer.public_bytes(serialization.Encoding.PEM).decode(),
        "key": key.decode(),
    }


def _name(organization: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)])


def _authority(
    subject: x509.Name, key: Ed25519PrivateKey, signer: x509.Name, signing_key: Ed25519PrivateKey
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()),
            critical=False,
        )
        .sign(signing_key, None)
    )
