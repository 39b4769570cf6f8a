{{/*
Brings the service's tables to what this version needs, before its pods change. Two that run at
once wait for each other and the second finds nothing to do; so does one that runs again.
*/}}
{{- define "holdfast.migration" -}}
{{- if .Values.migrations.enabled }}
{{- $of := dict "context" . "component" "migration" }}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "holdfast.metadata" (merge (dict "suffix" "migration") $of) | nindent 2 }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: {{ .Values.migrations.hookWeight | quote }}
    # One that failed stays, for its log, until the next try.
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: {{ .Values.migrations.backoffLimit }}
  activeDeadlineSeconds: {{ .Values.migrations.activeDeadlineSeconds }}
  ttlSecondsAfterFinished: 86400
  template:
    metadata:
      labels:
        {{- include "holdfast.podLabels" $of | nindent 8 }}
    spec:
      restartPolicy: Never
      # The chart's own account is not there yet; this needs no rights at all.
      serviceAccountName: default
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- include "holdfast.podSecurityContext" . | nindent 8 }}
      {{- with include "holdfast.imagePullSecrets" . }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      containers:
        - name: migrate
          image: {{ include "holdfast.image" . | quote }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          args: [migrate]
          env:
            {{- include "holdfast.secretEnv" (dict "name" "HOLDFAST_MIGRATION_DATABASE_URL" "secret" .Values.global.holdfast.secrets.database "key" "owner-url") | nindent 12 }}
            - name: HOLDFAST_LOG_LEVEL
              value: {{ .Values.logLevel | quote }}
          resources:
            {{- toYaml .Values.migrations.resources | nindent 12 }}
          securityContext:
            {{- include "holdfast.containerSecurityContext" . | nindent 12 }}
          volumeMounts:
            {{- include "holdfast.volumeMounts" . | trim | nindent 12 }}
      volumes:
        {{- include "holdfast.volumes" . | trim | nindent 8 }}
      {{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- if .Values.global.holdfast.network.enabled }}
---
{{ include "holdfast.podNetworkPolicy" (merge $of (dict
  "rules" (include "holdfast.databaseRule" .)
  "annotations" (dict
    "helm.sh/hook" "pre-install,pre-upgrade"
    "helm.sh/hook-weight" (.Values.migrations.hookWeight | int | add -1 | toString)
    "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded"))) }}
{{- end }}
{{- end }}
{{- end }}
