{{/*
Who may reach the service's pods and whom they may reach; all else is denied, both ways.

The kubelet's probes come from the node and are let through by every enforcing network plugin.
*/}}
{{- define "holdfast.networkPolicy" -}}
{{- $network := .Values.global.holdfast.network }}
{{- if $network.enabled }}
{{- $facts := include "holdfast.facts" . | fromYaml }}
{{- $of := dict "context" . "component" "service" }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "holdfast.metadata" $of | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "holdfast.selector" $of | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- with $facts.calledBy }}
    # Sidecars call sidecars, with mTLS.
    - from:
        {{- range . }}
        - podSelector:
            matchLabels:
              {{- include "holdfast.peer" . | nindent 14 }}
        {{- end }}
      ports:
        - {port: {{ $.Values.dapr.internalGrpcPort }}, protocol: TCP}
    {{- end }}
    {{- if $network.monitoring }}
    # Prometheus scrapes the service and its sidecar.
    - from:
        {{- toYaml $network.monitoring | nindent 8 }}
      ports:
        - {port: http, protocol: TCP}
        - {port: {{ .Values.dapr.metrics.port }}, protocol: TCP}
    {{- end }}
    {{- if .Values.tests.enabled }}
    # `helm test`.
    - from:
        - podSelector:
            matchLabels:
              app.kubernetes.io/part-of: holdfast
              app.kubernetes.io/component: test
      ports:
        - {port: http, protocol: TCP}
    {{- end }}
    {{- with include (printf "%s.ingressRules" .Chart.Name) . }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with .Values.networkPolicy.extraIngress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  egress:
    {{- include "holdfast.dnsRule" . | nindent 4 }}
    # The control plane: operator, sentry, placement, scheduler, as the pods listen.
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ .Values.global.holdfast.dapr.namespace }}
          podSelector:
            matchLabels:
              app.kubernetes.io/part-of: dapr
      ports:
        - {port: 6500, protocol: TCP}
        - {port: 50001, protocol: TCP}
        - {port: 50005, protocol: TCP}
        - {port: 50006, protocol: TCP}
    {{- with $facts.calls }}
    - to:
        {{- range . }}
        - podSelector:
            matchLabels:
              {{- include "holdfast.peer" . | nindent 14 }}
        {{- end }}
      ports:
        - {port: {{ $.Values.dapr.internalGrpcPort }}, protocol: TCP}
    {{- end }}
    {{- if $facts.database }}
    {{- include "holdfast.databaseRule" . | nindent 4 }}
    {{- end }}
    {{- with .Values.global.holdfast.tracing.endpoint }}
    # Spans.
    - ports:
        - {port: {{ include "holdfast.urlPort" . }}, protocol: TCP}
      {{- with $network.tracing }}
      to:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- with include (printf "%s.egressRules" .Chart.Name) . }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with .Values.networkPolicy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}

{{/* The pods of a service of this installation. */}}
{{- define "holdfast.peer" -}}
app.kubernetes.io/part-of: holdfast
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/component: service
{{- end }}

{{- define "holdfast.dnsRule" -}}
# Names.
- to:
    {{- toYaml .Values.global.holdfast.network.dns.peers | nindent 4 }}
  ports:
    {{- range .Values.global.holdfast.network.dns.ports }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}

{{- define "holdfast.databaseRule" -}}
# PostgreSQL.
- to:
    {{- toYaml .Values.global.holdfast.network.database.peers | nindent 4 }}
  ports:
    - {port: {{ .Values.global.holdfast.network.database.port }}, protocol: TCP}
{{- end }}

{{/* The port of a URL, also where it is the scheme's own. */}}
{{- define "holdfast.urlPort" -}}
{{- $url := urlParse . }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- $port | default (ternary "443" "80" (eq $url.scheme "https")) }}
{{- end }}

{{/* A job's or a test's pod: nobody reaches it; it reaches what the rules say. */}}
{{- define "holdfast.podNetworkPolicy" -}}
{{- if .context.Values.global.holdfast.network.enabled }}
{{- $of := dict "context" .context "component" .component }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "holdfast.metadata" (merge (dict "suffix" .component) $of) | nindent 2 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  podSelector:
    matchLabels:
      {{- include "holdfast.selector" $of | nindent 6 }}
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "holdfast.dnsRule" .context | nindent 4 }}
    {{- .rules | nindent 4 }}
{{- end }}
{{- end }}
