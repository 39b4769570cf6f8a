"""``/certificates``: what the chaos suite proved, as it was handed in."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import cast

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel
from sqlalchemy import Engine

from holdfast_contracts.certificate import Verdict
from holdfast_servicekit.problems import Problem
from holdfast_status_api import bodies, certificates, documents
from holdfast_status_api.answers import Answer
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.certificates import Certificate, Deposit, Kept
from holdfast_status_api.document import answers
from holdfast_status_api.settings import Settings


class CertificatePath(BaseModel):
    """Which certificate: its ID, or ``latest``. Whatever cannot be an ID was never there."""

    certificate_id: str


class CertificateAnswer(Answer):
    """A resume certificate that is kept."""

    certificate_id: str
    verdict: Verdict
    seed: int
    target: str
    started_at: datetime
    finished_at: datetime
    faults: int
    runs: int
    stored_at: datetime
    stored_by: str
    links: dict[str, str]


class CertificatesAnswer(Answer):
    """The certificates that are kept, the newest first."""

    certificates: list[CertificateAnswer]


def api(settings: Settings, engine: Engine) -> APIBlueprint:
    """Return the routes."""
    routes = APIBlueprint("certificates", __name__)

    @routes.post(
        "/certificates",
        summary="Hand in a resume certificate",
        responses=answers(
            {HTTPStatus.CREATED: CertificateAnswer, HTTPStatus.OK: CertificateAnswer},
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ),
    )
    def hand_in() -> Response:
        """Keep a certificate with its page; the oldest goes when there are too many.

        The same one handed in again changes nothing, and is a 200.
        """
        body = bodies.read_json(settings.largest_certificate_bytes)
        deposit = cast("Deposit", documents.validate(Deposit, body))
        kept, new = certificates.store(
            engine, deposit, body["certificate"], caller().subject, settings.certificates_kept
        )
        answer = _answer(kept)
        return answer.response(
            HTTPStatus.CREATED if new else HTTPStatus.OK, {"Location": answer.links["self"]}
        )

    @routes.get(
        "/certificates",
        summary="List the resume certificates",
        responses=answers({HTTPStatus.OK: CertificatesAnswer}),
    )
    def listed() -> Response:
        """Return what is kept, the newest first."""
        found = [_answer(kept) for kept in certificates.listed(engine)]
        return CertificatesAnswer(certificates=found).response()

    @routes.get(
        "/certificates/<certificate_id>",
        summary="Give a resume certificate",
        responses=answers({HTTPStatus.OK: Certificate}, HTTPStatus.NOT_FOUND),
    )
    def one(path: CertificatePath) -> Response:
        """Give the certificate as it was handed in; ``latest`` is the newest."""
        found = certificates.document_of(engine, path.certificate_id)
        if found is None:
            raise unknown()
        return Response(found, content_type="application/json")

    @routes.get(
        "/certificates/<certificate_id>/page",
        summary="Give a resume certificate's page",
        responses={
            **answers({}, HTTPStatus.NOT_FOUND),
            int(HTTPStatus.OK): {
                "description": "HTML, under a policy that lets nothing in it run or load.",
                "content": {"text/html": {"schema": {"type": "string"}}},
            },
        },
    )
    def page(path: CertificatePath) -> Response:
        """Give the page as it was handed in."""
        return page_response(engine, path.certificate_id)

    @routes.delete(
        "/certificates/<certificate_id>",
        summary="Remove a resume certificate",
        responses={**answers({}, HTTPStatus.NOT_FOUND), 204: {"description": "Removed"}},
    )
    def remove(path: CertificatePath) -> Response:
        """Forget a certificate and its page."""
        if not certificates.remove(engine, path.certificate_id):
            raise unknown()
        return Response(status=HTTPStatus.NO_CONTENT)

    return routes


def page_response(engine: Engine, certificate_id: str) -> Response:
    """Return a certificate's page with the headers that keep it harmless, or raise a 404."""
    found = certificates.page_of(engine, certificate_id)
    if found is None:
        raise unknown()
    response = Response(found, content_type="text/html; charset=utf-8")
    response.headers.update(certificates.PAGE_HEADERS)
    return response


def unknown() -> Problem:
    """Return the 404."""
    return Problem(HTTPStatus.NOT_FOUND, "No such certificate")


def _answer(kept: Kept) -> CertificateAnswer:
    place = f"/certificates/{kept.certificate_id}"
    return CertificateAnswer.model_validate(
        {**vars(kept), "links": {"self": place, "page": f"{place}/page"}}
    )
