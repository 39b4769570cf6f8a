"""Put the orchestrator together: runtime, management API, health and metrics."""

from __future__ import annotations

import logging

from dapr.clients.grpc.interceptors import DaprClientTimeoutInterceptor
from dapr.ext.workflow import DaprWorkflowClient, WorkflowRuntime
from flask import Flask

from holdfast_orchestrator import moving
from holdfast_orchestrator.engine import TaskHubGrpcClient
from holdfast_orchestrator.gateway import EngineGateway
from holdfast_orchestrator.management import blueprint as management
from holdfast_orchestrator.parents import Parents
from holdfast_orchestrator.registry import register_all
from holdfast_orchestrator.settings import OrchestratorSettings
from holdfast_orchestrator.telemetry import TraceStarts
from holdfast_servicekit import health, logs, metrics, problems, tracing
from holdfast_servicekit.runtime import SupervisedRuntime, sdk_logs
from holdfast_servicekit.sidecar import SIDECAR_HOST, Sidecar


def build_runtime(settings: OrchestratorSettings, parents: Parents) -> WorkflowRuntime:
    """Return a runtime with every workflow of the contract registered, not yet started."""
    runtime = WorkflowRuntime(
        host=SIDECAR_HOST,
        port=str(settings.dapr_grpc_port),
        logger_options=sdk_logs(),
        maximum_thread_pool_workers=settings.turn_threads,
    )
    register_all(runtime, settings.worker_app_id, parents.committed)
    return runtime


def create_app(settings: OrchestratorSettings) -> tuple[Flask, SupervisedRuntime]:
    """Return the app and its runtime. Call it after the fork: it opens gRPC channels."""
    port = settings.dapr_grpc_port
    engine = TaskHubGrpcClient(
        host_address=f"{SIDECAR_HOST}:{port}",
        log_handler=logging.NullHandler(),
        # The SDK's own clients add the token by themselves.
        metadata=[("dapr-api-token", settings.dapr_api_token)] if settings.dapr_api_token else None,
        interceptors=[DaprClientTimeoutInterceptor(), TraceStarts()],
    )
    parents = Parents(engine)
    sidecar = Sidecar.of(settings)
    runtime = SupervisedRuntime(lambda: build_runtime(settings, parents), sidecar)
    gateway = EngineGateway(
        DaprWorkflowClient(host=SIDECAR_HOST, port=str(port), logger_options=sdk_logs()), engine
    )
    app = Flask(__name__)
    logs.bind_requests(app)
    tracing.instrument(app)
    problems.register(app)
    app.register_blueprint(
        management(gateway, sidecar, settings.app_api_token, settings.worker_app_id)
    )
    app.register_blueprint(health.blueprint(runtime.live, {"workflow runtime": runtime.ready}))
    app.register_blueprint(metrics.blueprint())
    app.register_blueprint(moving.blueprint(settings.app_id))
    return app, runtime
