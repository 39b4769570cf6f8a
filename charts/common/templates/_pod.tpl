{{/*
The end of a pod, in order. The pod is taken out of its Services while the app still answers
(preStop); the app finishes what it has begun (drain); then its sidecar, which the app needs for
that, ends (its own graceful shutdown). The grace period is the sum, and some slack.
*/}}
{{- define "holdfast.drainSeconds" -}}
{{- add .Values.shutdown.preStopSeconds .Values.shutdown.drainSeconds }}
{{- end }}

{{- define "holdfast.gracePeriodSeconds" -}}
{{- add (include "holdfast.drainSeconds" . | int) .Values.dapr.gracefulShutdownSeconds 5 }}
{{- end }}

{{/* What Pod Security `restricted` asks of a pod. */}}
{{- define "holdfast.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ .Values.securityContext.runAsUser }}
runAsGroup: {{ .Values.securityContext.runAsGroup }}
fsGroup: {{ .Values.securityContext.fsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* What Pod Security `restricted` asks of a container, and a root file system that stays as it is. */}}
{{- define "holdfast.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: {{ .Values.securityContext.readOnlyRootFilesystem }}
{{- end }}

{{- define "holdfast.imagePullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.image.pullSecrets | uniq }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A variable whose value is a Secret's. Arguments: name, secret, key. */}}
{{- define "holdfast.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}

{{- define "holdfast.env" -}}
{{- $holdfast := .Values.global.holdfast }}
- name: HOLDFAST_APP_ID
  value: {{ include "holdfast.appId" . | quote }}
- name: HOLDFAST_ORCHESTRATOR_APP_ID
  value: {{ $holdfast.appIds.orchestrator | quote }}
- name: HOLDFAST_WORKER_APP_ID
  value: {{ $holdfast.appIds.activityWorker | quote }}
- name: HOLDFAST_HOST
  value: {{ .Values.listenAddress | quote }}
- name: HOLDFAST_PORT
  value: {{ .Values.port | quote }}
- name: HOLDFAST_POD
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: HOLDFAST_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
{{- with $holdfast.secrets.daprApiToken }}
{{ include "holdfast.secretEnv" (dict "name" "DAPR_API_TOKEN" "secret" . "key" "token") }}
{{- end }}
{{- with $holdfast.tracing.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: http/protobuf
{{- end }}
{{- end }}

{{/* Volumes of every pod that runs a service's code. */}}
{{- define "holdfast.volumes" -}}
{{- $facts := include "holdfast.facts" . | fromYaml }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.tmpSizeLimit }}
{{- if $facts.database }}
{{- with .Values.global.holdfast.secrets.databaseCa }}
- name: database-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0444
{{- end }}
{{- end }}
{{- end }}

{{- define "holdfast.volumeMounts" -}}
{{- $facts := include "holdfast.facts" . | fromYaml }}
- name: tmp
  mountPath: /tmp
{{- if and $facts.database .Values.global.holdfast.secrets.databaseCa }}
- name: database-ca
  mountPath: /etc/holdfast/database-ca
  readOnly: true
{{- end }}
{{- end }}
