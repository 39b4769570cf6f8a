{{/*
The name of all that the chart installs for its service. It is the service's own name and holds no
release name: an app-id is part of every key of the workflows' state, so a namespace can hold one
installation, and whoever looks for the orchestrator finds `orchestrator`.
*/}}
{{- define "holdfast.name" -}}
{{- .Values.fullnameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
What a chart says of its service, as a map. Each chart defines `<chart>.facts`:
  appId       which of the app-ids in `global.holdfast.appIds` is its own
  appPort     whether its sidecar calls the service (service invocation)
  calledBy    charts whose sidecars open connections to its sidecar
  calls       charts whose sidecars its sidecar opens connections to
  database    whether the service or its sidecar uses the database
  migrates    whether the service has tables of its own
*/}}
{{- define "holdfast.facts" -}}
{{- include (printf "%s.facts" .Chart.Name) . }}
{{- end }}

{{- define "holdfast.appId" -}}
{{- $facts := include "holdfast.facts" . | fromYaml }}
{{- get .Values.global.holdfast.appIds $facts.appId }}
{{- end }}

{{- define "holdfast.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "holdfast.name" .) }}
{{- end }}

{{- define "holdfast.image" -}}
{{- $tag := .Values.image.tag | default .Values.global.holdfast.imageTag | default .Chart.AppVersion }}
{{- $repository := .Values.image.repository }}
{{- with .Values.image.registry | default .Values.global.imageRegistry }}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}
{{- end }}
{{- with .Values.image.digest }}
{{- printf "%s@%s" $repository . }}
{{- else }}
{{- printf "%s:%s" $repository $tag }}
{{- end }}
{{- end }}

{{/* What finds the chart's pods of one kind: `service`, `migration` or `test`. */}}
{{- define "holdfast.selector" -}}
app.kubernetes.io/name: {{ .context.Chart.Name }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of pods: they hold no version, because a selector must not change. */}}
{{- define "holdfast.podLabels" -}}
{{ include "holdfast.selector" . }}
app.kubernetes.io/part-of: holdfast
{{- end }}

{{- define "holdfast.labels" -}}
{{ include "holdfast.podLabels" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | default .context.Chart.Version | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Name, namespace and labels of an object. Arguments: context, component, suffix, labels. */}}
{{- define "holdfast.metadata" -}}
name: {{ include "holdfast.name" .context }}{{ with .suffix }}-{{ . }}{{ end }}
namespace: {{ .context.Release.Namespace }}
labels:
  {{- include "holdfast.labels" (dict "context" .context "component" (.component | default "service")) | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
