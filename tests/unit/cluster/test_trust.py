"""The control plane's trust bundle: made once, whole, and kept."""

from __future__ import annotations

import base64

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from holdfast_cluster.trust import chart_values, make_bundle

NAMESPACE = "dapr-system"


def test_issuer_is_an_authority_that_the_root_signed_and_has_the_key_beside_it() -> None:
    bundle = make_bundle(NAMESPACE)
    root = x509.load_pem_x509_certificate(bundle["root"].encode())
    issuer = x509.load_pem_x509_certificate(bundle["issuer"].encode())
    key = serialization.load_pem_private_key(bundle["key"].encode(), password=None)

    root.verify_directly_issued_by(root)
    issuer.verify_directly_issued_by(root)
    assert issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert key.public_key() == issuer.public_key()
    assert f"/ns/{NAMESPACE}/dapr-sentry" in issuer.subject.rfc4514_string()


def test_bundle_that_the_cluster_has_is_given_again() -> None:
    kept = make_bundle(NAMESPACE)
    data = {"ca.crt": kept["root"], "issuer.crt": kept["issuer"], "issuer.key": kept["key"]}
    secret = {"data": {name: base64.b64encode(pem.encode()) for name, pem in data.items()}}

    tls = chart_values(secret, NAMESPACE)["dapr_sentry"]["tls"]
    assert tls["root"]["certPEM"] == kept["root"]
    assert tls["issuer"] == {"certPEM": kept["issuer"], "keyPEM": kept["key"]}


def test_empty_or_missing_bundle_is_made_anew_each_time() -> None:
    first, second = (chart_values(secret, NAMESPACE) for secret in (None, {"data": None}))

    assert first["dapr_sentry"]["tls"]["issuer"]["keyPEM"]
    assert first != second
