{{- define "orchestrator.facts" -}}
appId: orchestrator
appPort: true
calledBy: [orchestrator, activity-worker, status-api]
calls: [orchestrator, activity-worker]
database: true
migrates: false
{{- end }}

{{- define "orchestrator.env" -}}
- name: HOLDFAST_TURN_THREADS
  value: {{ .Values.turnThreads | quote }}
{{- with .Values.global.holdfast.secrets.appToken }}
{{ include "holdfast.secretEnv" (dict "name" "APP_API_TOKEN" "secret" . "key" "token") }}
{{- end }}
{{- end }}

{{- define "orchestrator.volumes" -}}{{- end }}
{{- define "orchestrator.volumeMounts" -}}{{- end }}
{{- define "orchestrator.ingressRules" -}}{{- end }}
{{- define "orchestrator.egressRules" -}}{{- end }}

{{- define "orchestrator.testEnv" -}}
- {name: BASE, value: "http://{{ include "holdfast.name" . }}:{{ .Values.service.port }}"}
- {name: CLOSED, value: {{ ternary "/instances" "" (not (empty .Values.global.holdfast.secrets.appToken)) | quote }}}
- {name: SECONDS, value: {{ sub .Values.tests.timeoutSeconds 20 | quote }}}
{{- end }}
