{{/*
A pod of `helm test` that runs a Python program in an image that is there anyway.
Arguments: context, image, name, program, env (YAML), rules (egress, YAML).
*/}}
{{- define "holdfast.test" -}}
{{- if .context.Values.tests.enabled }}
{{- $of := dict "context" .context "component" "test" }}
apiVersion: v1
kind: Pod
metadata:
  {{- include "holdfast.metadata" (merge (dict "suffix" (printf "test-%s" .name)) $of) | nindent 2 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: Never
  serviceAccountName: default
  automountServiceAccountToken: false
  enableServiceLinks: false
  activeDeadlineSeconds: {{ .context.Values.tests.timeoutSeconds }}
  securityContext:
    {{- include "holdfast.podSecurityContext" .context | nindent 4 }}
  {{- with include "holdfast.imagePullSecrets" .context }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  containers:
    - name: test
      image: {{ .image | quote }}
      imagePullPolicy: {{ .context.Values.image.pullPolicy }}
      command: [python, -c]
      args:
        - |
          {{- .program | nindent 10 }}
      {{- with .env }}
      env:
        {{- . | trim | nindent 8 }}
      {{- end }}
      resources:
        requests: {cpu: 50m, memory: 64Mi}
        limits: {memory: 128Mi}
      securityContext:
        {{- include "holdfast.containerSecurityContext" .context | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 16Mi}
  {{- with .context.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- if .context.Values.global.holdfast.network.enabled }}
---
{{ include "holdfast.podNetworkPolicy" (merge $of (dict "rules" .rules)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Asks the service itself whether it is ready, and for a page that it must not give to anybody. */}}
{{- define "holdfast.test.ready" -}}
import os, sys, time
import httpx

base, closed = os.environ["BASE"], os.environ["CLOSED"]
deadline = time.monotonic() + float(os.environ["SECONDS"])
while True:
    try:
        answer = httpx.get(f"{base}/readyz", timeout=5)
        said = f"{answer.status_code} {answer.text.strip()}"
        if answer.status_code == 200:
            break
    except httpx.HTTPError as error:
        said = repr(error)
    if time.monotonic() > deadline:
        sys.exit(f"{base}/readyz: {said}")
    time.sleep(1)
print(f"{base} is ready")
if closed:
    status = httpx.get(f"{base}{closed}", timeout=5).status_code
    if status != 401:
        sys.exit(f"{base}{closed} answers {status} to somebody without a token, not 401")
    print(f"{base}{closed} is closed to somebody without a token")
{{- end }}

{{/* The way of a test to the pods of a service: its chart's name, the port that they listen on. */}}
{{- define "holdfast.testRules" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "holdfast.peer" (index . 0) | nindent 10 }}
  ports:
    - {port: {{ index . 1 }}, protocol: TCP}
{{- end }}
