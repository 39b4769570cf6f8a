{{- define "holdfast.serviceMonitor" -}}
{{- $monitor := .Values.metrics.serviceMonitor }}
{{- if $monitor.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "holdfast.metadata" (dict "context" . "labels" $monitor.labels) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "holdfast.selector" (dict "context" . "component" "service") | nindent 6 }}
  endpoints:
    - port: http
      path: /metrics
      interval: {{ $monitor.interval }}
      scrapeTimeout: {{ $monitor.scrapeTimeout }}
{{- end }}
{{- end }}

{{/* The sidecar's metrics: by the pods, because the Service before them is Dapr's and not ours. */}}
{{- define "holdfast.podMonitor" -}}
{{- $monitor := .Values.metrics.podMonitor }}
{{- if and $monitor.enabled .Values.dapr.metrics.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  {{- include "holdfast.metadata" (dict "context" . "suffix" "sidecar" "labels" $monitor.labels) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "holdfast.selector" (dict "context" . "component" "service") | nindent 6 }}
  podMetricsEndpoints:
    - port: dapr-metrics
      path: /
      interval: {{ $monitor.interval }}
      scrapeTimeout: {{ $monitor.scrapeTimeout }}
{{- end }}
{{- end }}

{{/* The alerts of observability/alerts.yaml that are in the group with the service's name. */}}
{{- define "holdfast.prometheusRule" -}}
{{- $settings := .Values.metrics.prometheusRule }}
{{- if $settings.enabled }}
{{- $alerts := .Files.Get "files/alerts.yaml" | fromYaml }}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  {{- include "holdfast.metadata" (dict "context" . "labels" $settings.labels) | nindent 2 }}
spec:
  groups:
    {{- range $alerts.groups }}
    {{- if eq .name $.Chart.Name }}
    - name: holdfast.{{ .name }}
      rules:
        {{- range .rules }}
        {{- if not (has .alert $settings.disabled) }}
        {{- $rule := deepCopy . }}
        {{- with $settings.runbookBaseUrl }}
        {{- $_ := set $rule.annotations "runbook_url" (printf "%s/%s" (trimSuffix "/" .) $rule.annotations.runbook) }}
        {{- end }}
        - {{ toYaml $rule | nindent 10 | trim }}
        {{- end }}
        {{- end }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end }}
