{{- define "holdfast.deployment" -}}
{{- $of := dict "context" . "component" "service" }}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "holdfast.metadata" $of | nindent 2 }}
  {{- with .Values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if not (or .Values.autoscaling.enabled .Values.keda.enabled) }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ .Values.revisionHistoryLimit }}
  minReadySeconds: {{ .Values.minReadySeconds }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      {{- toYaml .Values.rollingUpdate | nindent 6 }}
  selector:
    matchLabels:
      {{- include "holdfast.selector" $of | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "holdfast.podLabels" $of | nindent 8 }}
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .Chart.Name }}
        # Sidecars read Dapr's resources at their start only: what changes them restarts the pods.
        holdfast/dapr-settings: {{ list .Chart.Version .Values.global.holdfast.dapr .Values.global.holdfast.tracing | toJson | sha256sum | trunc 16 | quote }}
        {{- include "holdfast.dapr.annotations" . | trim | nindent 8 }}
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "holdfast.serviceAccountName" . }}
      automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
      # A Service that is called `holdfast` would otherwise set variables with our prefix.
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ include "holdfast.gracePeriodSeconds" . }}
      {{- with .Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      securityContext:
        {{- include "holdfast.podSecurityContext" . | nindent 8 }}
      {{- with include "holdfast.imagePullSecrets" . }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      containers:
        - name: {{ .Chart.Name }}
          image: {{ include "holdfast.image" . | quote }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          {{- with .Values.command }}
          command:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          args:
            {{- toYaml .Values.args | nindent 12 }}
          env:
            {{- include "holdfast.env" . | trim | nindent 12 }}
            {{- with include (printf "%s.env" .Chart.Name) . }}
            {{- . | trim | nindent 12 }}
            {{- end }}
            {{- with .Values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - name: http
              containerPort: {{ .Values.port }}
          {{- range $kind := list "startup" "liveness" "readiness" }}
          {{- $probe := get $.Values (printf "%sProbe" $kind) }}
          {{ $kind }}Probe:
            httpGet:
              # Liveness asks for the process alone; readiness for what it depends on.
              path: {{ ternary "/readyz" "/healthz" (eq $kind "readiness") }}
              port: http
            {{- toYaml $probe | nindent 12 }}
          {{- end }}
          {{- if gt (int .Values.shutdown.preStopSeconds) 0 }}
          lifecycle:
            preStop:
              sleep:
                seconds: {{ .Values.shutdown.preStopSeconds }}
          {{- end }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          securityContext:
            {{- include "holdfast.containerSecurityContext" . | nindent 12 }}
          volumeMounts:
            {{- include "holdfast.volumeMounts" . | trim | nindent 12 }}
            {{- with include (printf "%s.volumeMounts" .Chart.Name) . }}
            {{- . | trim | nindent 12 }}
            {{- end }}
            {{- with .Values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
        {{- with .Values.extraContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        {{- include "holdfast.volumes" . | trim | nindent 8 }}
        {{- with include (printf "%s.volumes" .Chart.Name) . }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- with .Values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.topologySpread }}
      topologySpreadConstraints:
        {{- range . }}
        - topologyKey: {{ .topologyKey }}
          maxSkew: {{ .maxSkew }}
          whenUnsatisfiable: {{ .whenUnsatisfiable }}
          labelSelector:
            matchLabels:
              {{- include "holdfast.selector" $of | nindent 14 }}
          # Counts the pods of one rollout, so that the old ones do not push the new ones aside.
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      {{- end }}
      {{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
