{{/*
The annotations that Dapr's injector reads, from the typed values in `dapr`. A value that is empty
leaves its annotation out, and with it Dapr's own default in force.
*/}}
{{- define "holdfast.dapr.annotations" -}}
{{- $facts := include "holdfast.facts" . | fromYaml }}
{{- $dapr := .Values.dapr }}
{{- $secrets := .Values.global.holdfast.secrets }}
{{- $mounts := list }}
{{- range $dapr.volumeMounts }}
{{- $mounts = append $mounts (printf "%s:%s" .name .mountPath) }}
{{- end }}
{{- if and $facts.database $secrets.databaseCa }}
{{- $mounts = append $mounts "database-ca:/etc/holdfast/database-ca" }}
{{- end }}
{{- $writable := list }}
{{- range $dapr.volumeMountsReadWrite }}
{{- $writable = append $writable (printf "%s:%s" .name .mountPath) }}
{{- end }}
dapr.io/enabled: "true"
dapr.io/app-id: {{ include "holdfast.appId" . | quote }}
dapr.io/config: {{ .Values.global.holdfast.dapr.configuration | quote }}
{{- if $facts.appPort }}
dapr.io/app-port: {{ .Values.port | quote }}
dapr.io/app-protocol: {{ $dapr.appProtocol | quote }}
{{- with $secrets.appToken }}
dapr.io/app-token-secret: {{ . | quote }}
{{- end }}
{{- with $dapr.appMaxConcurrency }}
dapr.io/app-max-concurrency: {{ . | quote }}
{{- end }}
{{- with $dapr.appChannelAddress }}
dapr.io/app-channel-address: {{ . | quote }}
{{- end }}
{{- if $dapr.appHealthCheck.enabled }}
dapr.io/enable-app-health-check: "true"
dapr.io/app-health-check-path: {{ $dapr.appHealthCheck.path | quote }}
dapr.io/app-health-probe-interval: {{ $dapr.appHealthCheck.intervalSeconds | quote }}
dapr.io/app-health-probe-timeout: {{ $dapr.appHealthCheck.timeoutMilliseconds | quote }}
dapr.io/app-health-threshold: {{ $dapr.appHealthCheck.failureThreshold | quote }}
{{- end }}
{{- end }}
{{- with $secrets.daprApiToken }}
dapr.io/api-token-secret: {{ . | quote }}
{{- end }}
dapr.io/log-level: {{ $dapr.logLevel | quote }}
dapr.io/log-as-json: {{ $dapr.logAsJson | quote }}
dapr.io/enable-api-logging: {{ $dapr.apiLogging | quote }}
dapr.io/enable-metrics: {{ $dapr.metrics.enabled | quote }}
dapr.io/metrics-port: {{ $dapr.metrics.port | quote }}
dapr.io/grpc-port: {{ $dapr.grpcPort | quote }}
dapr.io/internal-grpc-port: {{ $dapr.internalGrpcPort | quote }}
dapr.io/sidecar-listen-addresses: {{ $dapr.listenAddresses | quote }}
dapr.io/enable-native-sidecar: {{ $dapr.nativeSidecar | quote }}
dapr.io/graceful-shutdown-seconds: {{ $dapr.gracefulShutdownSeconds | quote }}
{{- if not $dapr.nativeSidecar }}
dapr.io/block-shutdown-duration: {{ include "holdfast.drainSeconds" . | printf "%ss" | quote }}
{{- end }}
dapr.io/sidecar-seccomp-profile-type: {{ $dapr.seccompProfileType | quote }}
dapr.io/disable-builtin-k8s-secret-store: {{ $dapr.disableBuiltinKubernetesSecretStore | quote }}
{{- with $dapr.image }}
dapr.io/sidecar-image: {{ . | quote }}
{{- end }}
{{- with $dapr.resources.requests }}
{{- with .cpu }}
dapr.io/sidecar-cpu-request: {{ . | quote }}
{{- end }}
{{- with .memory }}
dapr.io/sidecar-memory-request: {{ . | quote }}
{{- end }}
{{- end }}
{{- with $dapr.resources.limits }}
{{- with .cpu }}
dapr.io/sidecar-cpu-limit: {{ . | quote }}
{{- end }}
{{- with .memory }}
dapr.io/sidecar-memory-limit: {{ . | quote }}
{{- end }}
{{- end }}
{{- range $kind := list "liveness" "readiness" }}
{{- $probe := get $dapr (printf "%sProbe" $kind) }}
dapr.io/sidecar-{{ $kind }}-probe-delay-seconds: {{ $probe.initialDelaySeconds | quote }}
dapr.io/sidecar-{{ $kind }}-probe-timeout-seconds: {{ $probe.timeoutSeconds | quote }}
dapr.io/sidecar-{{ $kind }}-probe-period-seconds: {{ $probe.periodSeconds | quote }}
dapr.io/sidecar-{{ $kind }}-probe-threshold: {{ $probe.failureThreshold | quote }}
{{- end }}
{{- with $dapr.maxBodySize }}
dapr.io/max-body-size: {{ . | quote }}
{{- end }}
{{- with $dapr.readBufferSize }}
dapr.io/read-buffer-size: {{ . | quote }}
{{- end }}
{{- with $dapr.env }}
dapr.io/env: {{ include "holdfast.dapr.pairs" . | quote }}
{{- end }}
{{- with $dapr.envFromSecret }}
dapr.io/env-from-secret: {{ include "holdfast.dapr.secretPairs" . | quote }}
{{- end }}
{{- with $dapr.serviceAnnotations }}
dapr.io/sidecar-svc-annotations: {{ include "holdfast.dapr.pairs" . | quote }}
{{- end }}
{{- with $mounts }}
dapr.io/volume-mounts: {{ join "," . | quote }}
{{- end }}
{{- with $writable }}
dapr.io/volume-mounts-rw: {{ join "," . | quote }}
{{- end }}
{{- with $dapr.unixDomainSocketPath }}
dapr.io/unix-domain-socket-path: {{ . | quote }}
{{- end }}
{{- with $dapr.placementHostAddress }}
dapr.io/placement-host-address: {{ . | quote }}
{{- end }}
{{- with $dapr.schedulerHostAddress }}
dapr.io/scheduler-host-address: {{ . | quote }}
{{- end }}
{{- with $dapr.actorsDisseminateTimeout }}
dapr.io/actors-disseminate-timeout: {{ . | quote }}
{{- end }}
{{- with $dapr.disableInitEndpoints }}
dapr.io/disable-init-endpoints: {{ join "," . | quote }}
{{- end }}
{{- with $dapr.sentryRequestJwtAudiences }}
dapr.io/sentry-request-jwt-audiences: {{ join "," . | quote }}
{{- end }}
{{- if $dapr.profiling }}
dapr.io/enable-profiling: "true"
{{- end }}
{{- if $dapr.debug.enabled }}
dapr.io/enable-debug: "true"
dapr.io/debug-port: {{ $dapr.debug.port | quote }}
{{- end }}
{{- with $dapr.pluggableComponents.containers }}
dapr.io/pluggable-components: {{ join "," . | quote }}
{{- end }}
{{- with $dapr.pluggableComponents.socketsFolder }}
dapr.io/pluggable-components-sockets-folder: {{ . | quote }}
{{- end }}
{{- if $dapr.pluggableComponents.inject }}
dapr.io/inject-pluggable-components: "true"
{{- end }}
{{- end }}

{{/* NAME=value,NAME=value, in the order of the names, so that the same values make the same text. */}}
{{- define "holdfast.dapr.pairs" -}}
{{- $pairs := list }}
{{- range $name, $value := . }}
{{- $pairs = append $pairs (printf "%s=%v" $name $value) }}
{{- end }}
{{- join "," $pairs }}
{{- end }}

{{- define "holdfast.dapr.secretPairs" -}}
{{- $pairs := list }}
{{- range $name, $secret := . }}
{{- $pairs = append $pairs (printf "%s=%s:%s" $name $secret.name $secret.key) }}
{{- end }}
{{- join "," $pairs }}
{{- end }}
