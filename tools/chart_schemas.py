"""Write the charts' values.schema.json: what each value may be, and that there are no others.

The three services' charts have most of their values in common; here each is described once. Run it
after a change: `.venv/bin/python tools/chart_schemas.py`.

Every object refuses keys that it does not know, with three exceptions, each for a reason: maps
whose keys are the user's own (labels, variables), fragments that Kubernetes itself defines and
checks, and `global`, which belongs to all charts of a release, others' too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHARTS = Path(__file__).resolve().parent.parent / "charts"
Schema = dict[str, Any]


def obj(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Return an object that has these keys and no others."""
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    return {**schema, "required": list(required)} if required else schema


def text(pattern: str | None = None, *, empty: bool = True) -> Schema:
    """Return a string; where it has a pattern, being empty leaves it out."""
    if pattern is None:
        return {"type": "string"} if empty else {"type": "string", "minLength": 1}
    return {"type": "string", "pattern": f"^({pattern})?$" if empty else f"^({pattern})$"}


def whole(least: int, most: int | None = None) -> Schema:
    """Return a whole number within bounds."""
    schema: Schema = {"type": "integer", "minimum": least}
    return schema if most is None else {**schema, "maximum": most}


def one_of(*values: str) -> Schema:
    """Return one of these words."""
    return {"type": "string", "enum": list(values)}


def listed(item: Schema) -> Schema:
    """Return a list."""
    return {"type": "array", "items": item}


def mapped(value: Schema) -> Schema:
    """Return a map whose keys are the user's own."""
    return {"type": "object", "additionalProperties": value}


BOOL: Schema = {"type": "boolean"}
#: What Kubernetes defines and checks itself.
FRAGMENT: Schema = {"type": "object"}
FRAGMENTS = listed(FRAGMENT)
STRINGS = listed(text(empty=False))
LABELS = mapped({"type": "string"})
NAME = text("[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", empty=False)
OPTIONAL_NAME = text("[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
APP_ID = text("[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?", empty=False)
PORT = whole(1, 65535)
SECONDS = text(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
DURATION = text(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+", empty=False)
QUANTITY = text(r"[0-9]+(\.[0-9]+)?(m|[kKMGTPE]i?)?", empty=False)
URL = text("https?://.+")
COUNT_OR_PERCENT: Schema = {
    "anyOf": [whole(0), {"type": "string", "pattern": "^(100|[0-9]{1,2})%$"}]
}
RESOURCES = obj(
    requests=mapped({"anyOf": [QUANTITY, {"type": "number", "minimum": 0}]}),
    limits=mapped({"anyOf": [QUANTITY, {"type": "number", "minimum": 0}]}),
)
SIDECAR_RESOURCES = obj(
    requests=obj(cpu=QUANTITY, memory=QUANTITY), limits=obj(cpu=QUANTITY, memory=QUANTITY)
)
PROBE = obj(
    initialDelaySeconds=whole(0),
    periodSeconds=whole(1),
    timeoutSeconds=whole(1),
    failureThreshold=whole(1),
    successThreshold=whole(1),
)
SIDECAR_PROBE = obj(
    initialDelaySeconds=whole(0),
    periodSeconds=whole(1),
    timeoutSeconds=whole(1),
    failureThreshold=whole(1),
)
MOUNTS = listed(obj(("name", "mountPath"), name=text(empty=False), mountPath=text("/.*")))
LIMITS = listed(
    obj(("name", "maxConcurrent"), name=text(empty=False), maxConcurrent=whole(1)),
)
MONITOR = obj(enabled=BOOL, labels=LABELS, interval=DURATION, scrapeTimeout=DURATION)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def of_global(**dapr: Schema) -> Schema:
    """Return `global`: open, because it is shared, but for what is ours in it."""
    return {
        "type": "object",
        "properties": {
            "imageRegistry": text(),
            "imagePullSecrets": listed(NAME),
            "holdfast": obj(
                ("appIds", "secrets", "tracing", "network", "dapr"),
                imageTag=text("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
                appIds=obj(
                    ("orchestrator", "activityWorker", "statusApi"),
                    orchestrator=APP_ID,
                    activityWorker=APP_ID,
                    statusApi=APP_ID,
                ),
                secrets=obj(
                    ("database", "daprDatabase"),
                    database=NAME,
                    daprDatabase=NAME,
                    databaseCa=OPTIONAL_NAME,
                    apiTokens=OPTIONAL_NAME,
                    daprApiToken=OPTIONAL_NAME,
                    appToken=OPTIONAL_NAME,
                    testToken=NAME,
                ),
                tracing=obj(endpoint=URL, samplingRate=text(r"0(\.[0-9]+)?|1(\.0+)?", empty=False)),
                network=obj(
                    ("enabled", "dns", "database"),
                    enabled=BOOL,
                    dns=obj(("peers", "ports"), peers=FRAGMENTS, ports=listed(PORT)),
                    database=obj(("peers", "port"), peers={**FRAGMENTS, "minItems": 1}, port=PORT),
                    monitoring=FRAGMENTS,
                    tracing=FRAGMENTS,
                ),
                dapr=obj(("namespace", "configuration"), **dapr),
            ),
        },
    }


#: What Dapr's resources are told; the services' charts take it as a part of `global`.
DAPR_RESOURCES: dict[str, Schema] = {
    "namespace": NAME,
    "configuration": NAME,
    "trustDomain": text(empty=False),
    "managementTimeout": DURATION,
    "stateStore": obj(maxConnections=whole(2), connectionMaxIdleTime=DURATION, timeout=DURATION),
    "workflow": obj(
        maxConcurrentWorkflows=whole(1),
        maxConcurrentActivities=whole(1),
        globalMaxConcurrentWorkflows=whole(0),
        globalMaxConcurrentActivities=whole(0),
        workflowLimits=LIMITS,
        activityLimits=LIMITS,
        retention=obj(anyTerminal=SECONDS, completed=SECONDS, failed=SECONDS, terminated=SECONDS),
    ),
}

DAPR = obj(
    image=text(),
    nativeSidecar=BOOL,
    gracefulShutdownSeconds=whole(1),
    logLevel=one_of("debug", "info", "warn", "error", "fatal"),
    logAsJson=BOOL,
    apiLogging=BOOL,
    metrics=obj(enabled=BOOL, port=PORT),
    resources=SIDECAR_RESOURCES,
    seccompProfileType=one_of("RuntimeDefault", "Localhost", "Unconfined"),
    livenessProbe=SIDECAR_PROBE,
    readinessProbe=SIDECAR_PROBE,
    grpcPort=PORT,
    internalGrpcPort=PORT,
    listenAddresses=text(empty=False),
    appProtocol=one_of("http", "https", "h2c", "grpc", "grpcs"),
    appMaxConcurrency=whole(0),
    appChannelAddress=text(),
    appHealthCheck=obj(
        enabled=BOOL,
        path=text("/.*", empty=False),
        intervalSeconds=whole(1),
        timeoutMilliseconds=whole(1),
        failureThreshold=whole(1),
    ),
    maxBodySize=QUANTITY,
    readBufferSize=text(r"[0-9]+([KM]i?)?"),
    disableBuiltinKubernetesSecretStore=BOOL,
    env=mapped({"type": ["string", "number", "boolean"]}),
    envFromSecret=mapped(obj(("name", "key"), name=NAME, key=text(empty=False))),
    serviceAnnotations=LABELS,
    volumeMounts=MOUNTS,
    volumeMountsReadWrite=MOUNTS,
    unixDomainSocketPath=text("/.*"),
    placementHostAddress=text(),
    schedulerHostAddress=text(),
    actorsDisseminateTimeout=SECONDS,
    disableInitEndpoints=STRINGS,
    sentryRequestJwtAudiences=STRINGS,
    profiling=BOOL,
    debug=obj(enabled=BOOL, port=PORT),
    pluggableComponents=obj(containers=STRINGS, socketsFolder=text("/.*"), inject=BOOL),
)

#: What the three services' charts have in common.
SERVICE: dict[str, Schema] = {
    "enabled": BOOL,
    "fullnameOverride": text("[a-z]([-a-z0-9]{0,61}[a-z0-9])?"),
    "image": obj(
        ("repository",),
        registry=text(),
        repository=text("[a-z0-9]+([._/-][a-z0-9]+)*", empty=False),
        tag=text("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
        digest=text("sha256:[0-9a-f]{64}"),
        pullPolicy=one_of("Always", "IfNotPresent", "Never"),
        pullSecrets=listed(NAME),
    ),
    "command": STRINGS,
    "args": STRINGS,
    "replicas": whole(0),
    "revisionHistoryLimit": whole(0),
    "minReadySeconds": whole(0),
    "rollingUpdate": obj(maxSurge=COUNT_OR_PERCENT, maxUnavailable=COUNT_OR_PERCENT),
    # A user that is not root may not listen below.
    "port": whole(1024, 65535),
    "listenAddress": text(empty=False),
    "logLevel": one_of(*LOG_LEVELS),
    "extraEnv": listed(
        {"type": "object", "required": ["name"], "properties": {"name": text(empty=False)}}
    ),
    "extraVolumes": FRAGMENTS,
    "extraVolumeMounts": FRAGMENTS,
    "extraContainers": FRAGMENTS,
    "service": obj(
        type=one_of("ClusterIP", "NodePort", "LoadBalancer"),
        port=PORT,
        nodePort=whole(0, 65535),
        annotations=LABELS,
    ),
    "serviceAccount": obj(create=BOOL, name=OPTIONAL_NAME, annotations=LABELS, automountToken=BOOL),
    "securityContext": obj(
        # Not root, whatever else.
        runAsUser=whole(1),
        runAsGroup=whole(1),
        fsGroup=whole(1),
        readOnlyRootFilesystem=BOOL,
    ),
    "tmpSizeLimit": QUANTITY,
    "resources": RESOURCES,
    "startupProbe": PROBE,
    "livenessProbe": PROBE,
    "readinessProbe": PROBE,
    "shutdown": obj(preStopSeconds=whole(0), drainSeconds=whole(1)),
    "podDisruptionBudget": obj(enabled=BOOL, maxUnavailable=COUNT_OR_PERCENT),
    "topologySpread": listed(
        obj(
            ("topologyKey", "maxSkew", "whenUnsatisfiable"),
            topologyKey=text(empty=False),
            maxSkew=whole(1),
            whenUnsatisfiable=one_of("ScheduleAnyway", "DoNotSchedule"),
        )
    ),
    "autoscaling": obj(
        enabled=BOOL,
        minReplicas=whole(1),
        maxReplicas=whole(1),
        targetCpuUtilization=whole(1, 1000),
        scaleDownStabilizationSeconds=whole(0, 3600),
        extraMetrics=FRAGMENTS,
    ),
    "keda": obj(
        enabled=BOOL,
        prometheusAddress=URL,
        query=text(empty=False),
        threshold=text(r"[0-9]+(\.[0-9]+)?", empty=False),
        minReplicas=whole(0),
        maxReplicas=whole(1),
        pollingIntervalSeconds=whole(1),
        cooldownSeconds=whole(0),
        extraTriggers=FRAGMENTS,
    ),
    "networkPolicy": obj(extraIngress=FRAGMENTS, extraEgress=FRAGMENTS),
    "metrics": obj(
        serviceMonitor=MONITOR,
        podMonitor=MONITOR,
        prometheusRule=obj(enabled=BOOL, labels=LABELS, disabled=STRINGS, runbookBaseUrl=URL),
    ),
    "tests": obj(enabled=BOOL, timeoutSeconds=whole(30)),
    "annotations": LABELS,
    "podLabels": LABELS,
    "podAnnotations": LABELS,
    "priorityClassName": text(),
    "nodeSelector": LABELS,
    "affinity": FRAGMENT,
    "tolerations": FRAGMENTS,
    "dapr": DAPR,
    "global": of_global(**DAPR_RESOURCES),
    # Helm puts the library's own (empty) values there.
    "common": FRAGMENT,
}

MIGRATIONS = obj(
    enabled=BOOL,
    hookWeight={"type": "integer"},
    backoffLimit=whole(0),
    activeDeadlineSeconds=whole(1),
    resources=RESOURCES,
)
RATE = text(r"[0-9]+ ?(/|per) ?([0-9]+ )?(second|minute|hour|day|month|year)s?", empty=False)

#: What each service's chart has besides.
OWN: dict[str, dict[str, Schema]] = {
    "orchestrator": {"turnThreads": whole(1)},
    "activity-worker": {
        "migrations": MIGRATIONS,
        "activityThreads": whole(1, 512),
        "jobHosts": listed(text(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", empty=False)),
        "webhookUrl": URL,
        "kubernetesJobs": obj(
            enabled=BOOL,
            namespaces=listed(NAME),
            allNamespaces=BOOL,
            apiPeers=FRAGMENTS,
            apiPorts={**listed(PORT), "minItems": 1},
        ),
    },
    "status-api": {
        "migrations": MIGRATIONS,
        "workers": whole(1, 64),
        "threads": whole(1, 1024),
        "heldRequests": whole(0, 1000),
        "databaseConnections": whole(1, 256),
        "dispatchConcurrency": whole(1, 64),
        "reconcileSeconds": {"type": "number", "exclusiveMinimum": 0},
        "frozenGraceSeconds": {"type": "number", "exclusiveMinimum": 0},
        "retentionDays": {"type": "number", "minimum": 0},
        "largestDocumentBytes": whole(1),
        "largestCsvBytes": whole(1),
        "auth": obj(
            readRate=RATE,
            writeRate=RATE,
            trustedProxies=whole(0, 8),
            oidc=obj(
                issuer=URL,
                audience=text(),
                jwksUrl=URL,
                jwksConfigMap=OPTIONAL_NAME,
                roleClaim=text(empty=False),
                roles=mapped(one_of("viewer", "operator", "approver", "admin")),
            ),
        ),
        "webhooks": obj(
            egress=BOOL,
            allowPrivate=BOOL,
            attempts=whole(1, 100),
            timeoutSeconds={"type": "number", "exclusiveMinimum": 0, "maximum": 60},
            firstRetrySeconds={"type": "number", "exclusiveMinimum": 0, "maximum": 3600},
        ),
        "ingress": obj(
            enabled=BOOL,
            className=text(),
            annotations=LABELS,
            hosts=STRINGS,
            tls=listed(obj(("hosts",), secretName=NAME, hosts=STRINGS)),
        ),
        "networkPolicy": obj(clients=FRAGMENTS, extraIngress=FRAGMENTS, extraEgress=FRAGMENTS),
    },
}

#: The umbrella. What is below a service's name is checked by that service's own schema.
UMBRELLA: dict[str, Schema] = {
    "global": of_global(**DAPR_RESOURCES),
    "daprResources": obj(enabled=BOOL),
    "networkPolicy": obj(defaultDeny=BOOL),
    "dashboards": obj(enabled=BOOL, labels=LABELS, annotations=LABELS),
    "tests": obj(enabled=BOOL, timeoutSeconds=whole(30)),
    "orchestrator": FRAGMENT,
    "activity-worker": FRAGMENT,
    "status-api": FRAGMENT,
    "common": FRAGMENT,
}


def schemas() -> dict[Path, str]:
    """Return what every chart's schema file holds."""
    charts = {name: {**SERVICE, **own} for name, own in OWN.items()}
    charts["holdfast"] = UMBRELLA
    return {CHARTS / name / "values.schema.json": document(name, charts[name]) for name in charts}


def document(chart: str, properties: dict[str, Schema]) -> str:
    """Return a schema as the text of its file."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"Values of the chart {chart}",
        "$comment": "Written by tools/chart_schemas.py",
        "type": "object",
        "additionalProperties": False,
        "properties": dict(sorted(properties.items())),
    }
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    for path, content in schemas().items():
        path.write_text(content, "utf-8")
