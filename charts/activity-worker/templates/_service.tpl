{{- define "activity-worker.facts" -}}
appId: activityWorker
appPort: false
calledBy: [orchestrator, activity-worker]
calls: [orchestrator, activity-worker]
database: true
migrates: true
{{- end }}

{{- define "activity-worker.env" -}}
{{ include "holdfast.secretEnv" (dict "name" "HOLDFAST_DATABASE_URL" "secret" .Values.global.holdfast.secrets.database "key" "worker-url") }}
- name: HOLDFAST_ACTIVITY_THREADS
  value: {{ .Values.activityThreads | quote }}
- name: HOLDFAST_JOB_HOSTS
  value: {{ join "," .Values.jobHosts | quote }}
{{- with .Values.webhookUrl }}
- name: HOLDFAST_WEBHOOK_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "activity-worker.volumes" -}}{{- end }}
{{- define "activity-worker.volumeMounts" -}}{{- end }}
{{- define "activity-worker.ingressRules" -}}{{- end }}

{{- define "activity-worker.egressRules" -}}
{{- if .Values.kubernetesJobs.enabled }}
# The Kubernetes API, for the status of Jobs.
- ports:
    {{- range .Values.kubernetesJobs.apiPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.kubernetesJobs.apiPeers }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- $ports := list }}
{{- range .Values.jobHosts }}
{{- $port := regexFind ":[0-9]+$" . | trimPrefix ":" }}
{{- $ports = concat $ports (ternary (list $port) (list "80" "443") (ne $port "")) }}
{{- end }}
{{- with .Values.webhookUrl }}
{{- $ports = append $ports (include "holdfast.urlPort" .) }}
{{- end }}
{{- with $ports | uniq | sortAlpha }}
# Hosts of HTTP jobs, and the receiver of notifications: names, which no policy can hold.
- ports:
    {{- range . }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- end }}

{{- define "activity-worker.testEnv" -}}
- {name: BASE, value: "http://{{ include "holdfast.name" . }}:{{ .Values.service.port }}"}
- {name: CLOSED, value: ""}
- {name: SECONDS, value: {{ sub .Values.tests.timeoutSeconds 20 | quote }}}
{{- end }}
