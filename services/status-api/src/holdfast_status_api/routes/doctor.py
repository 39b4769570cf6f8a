"""``/doctor``: what froze, why, and what frees it."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from holdfast_status_api.answers import DoctorAnswer, FrozenAnswer, MemoryAnswer, run_links
from holdfast_status_api.doctor import Diagnosis, Doctor, Patient
from holdfast_status_api.document import answers
from holdfast_status_api.parameters import FilterQuery


def api(doctor: Doctor) -> APIBlueprint:
    """Return the route."""
    routes = APIBlueprint("doctor", __name__)

    @routes.get(
        "/doctor",
        summary="Find runs that are frozen",
        responses=answers({HTTPStatus.OK: DoctorAnswer}, HTTPStatus.BAD_REQUEST),
    )
    def examine(query: FilterQuery) -> Response:
        """Look at every run that might be frozen: nothing that is due some day will move it.

        It asks the engine for each, so it takes a while where there are many.
        """
        return _answer(doctor.examine(query.filters())).response()

    return routes


def _answer(found: Diagnosis) -> DoctorAnswer:
    return DoctorAnswer(
        healthy=not found.patients,
        frozen=[_frozen(patient) for patient in found.patients],
        examined=found.examined,
        left=found.left,
        memory=MemoryAnswer(loss=found.memory.loss, forgot_at=found.memory.forgot_at),
        strangers=list(found.strangers),
    )


def _frozen(patient: Patient) -> FrozenAnswer:
    run, frozen = patient.run, patient.frozen
    return FrozenAnswer(
        instance_id=run.instance_id,
        workflow=run.workflow,
        state=run.state,
        reason=frozen.reason,
        sentence=frozen.sentence,
        since=frozen.since,
        frozen_instance=frozen.instance_id,
        command=frozen.command(run),
        links=run_links(run.instance_id),
    )
