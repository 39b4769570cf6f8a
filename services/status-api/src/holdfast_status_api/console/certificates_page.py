"""Resume certificates: what the chaos suite proved here, and the page of each."""

from __future__ import annotations

from flask import Blueprint, Response

from holdfast_status_api import certificates
from holdfast_status_api.console.frame import Console, page
from holdfast_status_api.routes.certificates import page_response


def add(pages: Blueprint, console: Console) -> None:
    """Add the routes."""

    @pages.get("/certificates", endpoint="certificates")
    def listed() -> Response:
        found = certificates.listed(console.engine)
        return page(
            "certificates.html", certificates=found, kept=console.settings.certificates_kept
        )

    @pages.get("/certificates/<certificate_id>", endpoint="certificate")
    def one(certificate_id: str) -> Response:
        """Give the page as it was handed in: it is no page of the console, and can do nothing."""
        return page_response(console.engine, certificate_id)
