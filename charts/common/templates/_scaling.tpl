{{- define "holdfast.hpa" -}}
{{- if .Values.autoscaling.enabled }}
{{- if .Values.keda.enabled }}
{{- fail "autoscaling.enabled and keda.enabled exclude each other: KEDA makes an autoscaler of its own" }}
{{- end }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas is greater than autoscaling.maxReplicas" }}
{{- end }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "holdfast.metadata" (dict "context" .) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "holdfast.name" . }}
  minReplicas: {{ .Values.autoscaling.minReplicas }}
  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
  metrics:
    # The app's container alone: the sidecar's share must not hide that the app is busy.
    - type: ContainerResource
      containerResource:
        name: cpu
        container: {{ .Chart.Name }}
        target:
          type: Utilization
          averageUtilization: {{ .Values.autoscaling.targetCpuUtilization }}
    {{- with .Values.autoscaling.extraMetrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  behavior:
    scaleDown:
      # Each pod that goes moves its workflows to others: not for a lull of a minute.
      stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownStabilizationSeconds }}
      policies:
        - type: Pods
          value: 1
          periodSeconds: 60
{{- end }}
{{- end }}

{{/* KEDA has no scaler for Dapr workflows: it asks Prometheus, as the alerts do. */}}
{{- define "holdfast.scaledObject" -}}
{{- if .Values.keda.enabled }}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  {{- include "holdfast.metadata" (dict "context" .) | nindent 2 }}
spec:
  scaleTargetRef:
    name: {{ include "holdfast.name" . }}
  pollingInterval: {{ .Values.keda.pollingIntervalSeconds }}
  cooldownPeriod: {{ .Values.keda.cooldownSeconds }}
  minReplicaCount: {{ .Values.keda.minReplicas }}
  maxReplicaCount: {{ .Values.keda.maxReplicas }}
  # A scaler that cannot ask leaves the service at a size that is known to work.
  fallback:
    failureThreshold: 3
    replicas: {{ .Values.keda.minReplicas }}
  triggers:
    - type: prometheus
      metadata:
        serverAddress: {{ required "keda.prometheusAddress is needed: where Prometheus answers, such as http://prometheus-operated.monitoring:9090" .Values.keda.prometheusAddress | quote }}
        query: {{ .Values.keda.query | quote }}
        threshold: {{ .Values.keda.threshold | quote }}
    {{- with .Values.keda.extraTriggers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}
