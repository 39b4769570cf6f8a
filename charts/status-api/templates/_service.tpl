{{- define "status-api.facts" -}}
appId: statusApi
appPort: false
calledBy: []
calls: [orchestrator]
database: true
migrates: true
{{- end }}

{{- define "status-api.env" -}}
{{- $holdfast := .Values.global.holdfast }}
{{- if not (or $holdfast.secrets.apiTokens .Values.auth.oidc.issuer) }}
{{- fail "nobody could use the API: set global.holdfast.secrets.apiTokens (`holdfast secrets` makes it) or auth.oidc.issuer" }}
{{- end }}
{{- if and .Values.auth.oidc.issuer (not .Values.auth.oidc.audience) }}
{{- fail "auth.oidc.audience is needed beside auth.oidc.issuer: this service's name at the issuer" }}
{{- end }}
{{ include "holdfast.secretEnv" (dict "name" "HOLDFAST_DATABASE_URL" "secret" $holdfast.secrets.database "key" "status-url") }}
- name: PROMETHEUS_MULTIPROC_DIR
  value: /tmp/metrics
- name: HOLDFAST_WORKERS
  value: {{ .Values.workers | quote }}
- name: HOLDFAST_THREADS
  value: {{ .Values.threads | quote }}
- name: HOLDFAST_HELD_REQUESTS
  value: {{ .Values.heldRequests | quote }}
- name: HOLDFAST_DATABASE_CONNECTIONS
  value: {{ .Values.databaseConnections | quote }}
- name: HOLDFAST_DISPATCH_CONCURRENCY
  value: {{ .Values.dispatchConcurrency | quote }}
- name: HOLDFAST_RECONCILE_SECONDS
  value: {{ .Values.reconcileSeconds | quote }}
- name: HOLDFAST_FROZEN_GRACE_SECONDS
  value: {{ .Values.frozenGraceSeconds | quote }}
{{- with .Values.retentionDays }}
- name: HOLDFAST_RETENTION_DAYS
  value: {{ . | quote }}
{{- end }}
- name: HOLDFAST_LARGEST_DOCUMENT_BYTES
  value: {{ .Values.largestDocumentBytes | int64 | quote }}
- name: HOLDFAST_LARGEST_CSV_BYTES
  value: {{ .Values.largestCsvBytes | int64 | quote }}
- name: HOLDFAST_READ_RATE
  value: {{ .Values.auth.readRate | quote }}
- name: HOLDFAST_WRITE_RATE
  value: {{ .Values.auth.writeRate | quote }}
- name: HOLDFAST_TRUSTED_PROXIES
  value: {{ .Values.auth.trustedProxies | quote }}
{{- if $holdfast.secrets.apiTokens }}
- name: HOLDFAST_TOKENS_FILE
  value: /etc/holdfast/tokens/tokens.json
{{- end }}
{{- with .Values.auth.oidc }}
{{- if .issuer }}
- name: HOLDFAST_OIDC_ISSUER
  value: {{ .issuer | quote }}
- name: HOLDFAST_OIDC_AUDIENCE
  value: {{ .audience | quote }}
- name: HOLDFAST_OIDC_ROLE_CLAIM
  value: {{ .roleClaim | quote }}
- name: HOLDFAST_OIDC_ROLES
  value: {{ .roles | toJson | quote }}
{{- with .jwksUrl }}
- name: HOLDFAST_OIDC_JWKS_URL
  value: {{ . | quote }}
{{- end }}
{{- if .jwksConfigMap }}
- name: HOLDFAST_OIDC_JWKS_FILE
  value: /etc/holdfast/oidc/jwks.json
{{- end }}
{{- end }}
{{- end }}
- name: HOLDFAST_WEBHOOK_ALLOW_PRIVATE
  value: {{ .Values.webhooks.allowPrivate | quote }}
- name: HOLDFAST_WEBHOOK_ATTEMPTS
  value: {{ .Values.webhooks.attempts | quote }}
- name: HOLDFAST_WEBHOOK_TIMEOUT_SECONDS
  value: {{ .Values.webhooks.timeoutSeconds | quote }}
- name: HOLDFAST_WEBHOOK_FIRST_RETRY_SECONDS
  value: {{ .Values.webhooks.firstRetrySeconds | quote }}
{{- end }}

{{- define "status-api.volumes" -}}
{{- with .Values.global.holdfast.secrets.apiTokens }}
- name: tokens
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items:
      - {key: tokens.json, path: tokens.json}
{{- end }}
{{- with .Values.auth.oidc.jwksConfigMap }}
- name: oidc
  configMap:
    name: {{ . }}
{{- end }}
{{- end }}

{{- /* Folders and not single files: those that are mounted alone never change. */}}
{{- define "status-api.volumeMounts" -}}
{{- if .Values.global.holdfast.secrets.apiTokens }}
- name: tokens
  mountPath: /etc/holdfast/tokens
  readOnly: true
{{- end }}
{{- if .Values.auth.oidc.jwksConfigMap }}
- name: oidc
  mountPath: /etc/holdfast/oidc
  readOnly: true
{{- end }}
{{- end }}

{{- define "status-api.ingressRules" -}}
# The public API.
- ports:
    - {port: http, protocol: TCP}
  {{- with .Values.networkPolicy.clients }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "status-api.egressRules" -}}
{{- if .Values.webhooks.egress }}
# Receivers of webhooks: the public internet, as the service itself checks, too.
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, 224.0.0.0/3]
    - ipBlock:
        cidr: 2000::/3
  ports:
    - {port: 443, protocol: TCP}
{{- end }}
{{- with .Values.auth.oidc }}
{{- if and .issuer (not .jwksConfigMap) }}
# The issuer's keys.
- ports:
    - {port: {{ include "holdfast.urlPort" (.jwksUrl | default .issuer) }}, protocol: TCP}
{{- end }}
{{- end }}
{{- end }}

{{- define "status-api.testEnv" -}}
- {name: BASE, value: "http://{{ include "holdfast.name" . }}:{{ .Values.service.port }}"}
- {name: CLOSED, value: /runs}
- {name: SECONDS, value: {{ sub .Values.tests.timeoutSeconds 20 | quote }}}
{{- end }}
