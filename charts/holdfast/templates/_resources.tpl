{{/*
The resources of components/, as this release needs them: one source with the local stack. Each
template takes (list context resource) and changes the resource in place.
*/}}

{{- define "holdfast.resources.Configuration" -}}
{{- $context := index . 0 }}
{{- $spec := (index . 1).spec }}
{{- $holdfast := $context.Values.global.holdfast }}
{{- $_ := set (index . 1).metadata "name" $holdfast.dapr.configuration }}
{{- $_ := set $spec.accessControl "trustDomain" $holdfast.dapr.trustDomain }}
{{- range $spec.accessControl.policies }}
{{- $_ := set . "appId" (include "holdfast.resources.appId" (list $context .appId)) }}
{{- $_ := set . "trustDomain" $holdfast.dapr.trustDomain }}
{{- $_ := set . "namespace" $context.Release.Namespace }}
{{- end }}
{{- with $holdfast.tracing.endpoint }}
{{- $url := urlParse . }}
{{- $_ := set $spec.tracing "samplingRate" $holdfast.tracing.samplingRate }}
{{- $_ := set $spec.tracing "otel" (dict
  "endpointAddress" (printf "%s:%s" ($url.host | regexFind "^[^:]+|^\\[.*\\]") (include "holdfast.urlPort" .))
  "isSecure" (eq $url.scheme "https")
  "protocol" "http") }}
{{- end }}
{{- $given := $holdfast.dapr.workflow }}
{{- $workflow := dict
  "maxConcurrentWorkflowInvocations" (int $given.maxConcurrentWorkflows)
  "maxConcurrentActivityInvocations" (int $given.maxConcurrentActivities) }}
{{- with $given.globalMaxConcurrentWorkflows }}
{{- $_ := set $workflow "globalMaxConcurrentWorkflowInvocations" (int .) }}
{{- end }}
{{- with $given.globalMaxConcurrentActivities }}
{{- $_ := set $workflow "globalMaxConcurrentActivityInvocations" (int .) }}
{{- end }}
{{- with $given.workflowLimits }}
{{- $_ := set $workflow "workflowConcurrencyLimits" . }}
{{- end }}
{{- with $given.activityLimits }}
{{- $_ := set $workflow "activityConcurrencyLimits" . }}
{{- end }}
{{- $retention := dict }}
{{- range $state, $time := $given.retention }}
{{- with $time }}
{{- $_ := set $retention $state . }}
{{- end }}
{{- end }}
{{- with $retention }}
{{- $_ := set $workflow "stateRetentionPolicy" . }}
{{- end }}
{{- $_ := set $spec "workflow" $workflow }}
{{- end }}

{{- define "holdfast.resources.Component" -}}
{{- $holdfast := (index . 0).Values.global.holdfast }}
{{- $store := $holdfast.dapr.stateStore }}
{{- $values := dict "maxConns" ($store.maxConnections | toString) "timeout" $store.timeout "connectionMaxIdleTime" $store.connectionMaxIdleTime }}
{{- range (index . 1).spec.metadata }}
{{- if hasKey $values .name }}
{{- $_ := set . "value" (get $values .name) }}
{{- end }}
{{- if eq .name "connectionString" }}
{{- $_ := set .secretKeyRef "name" $holdfast.secrets.daprDatabase }}
{{- end }}
{{- end }}
{{- end }}

{{- define "holdfast.resources.Resiliency" -}}
{{- $context := index . 0 }}
{{- $spec := (index . 1).spec }}
{{- $_ := set $spec.policies.timeouts "management" $context.Values.global.holdfast.dapr.managementTimeout }}
{{- $apps := dict }}
{{- range $app, $target := $spec.targets.apps }}
{{- $_ := set $apps (include "holdfast.resources.appId" (list $context $app)) $target }}
{{- end }}
{{- $_ := set $spec.targets "apps" $apps }}
{{- end }}

{{- define "holdfast.resources.WorkflowAccessPolicy" -}}
{{- $context := index . 0 }}
{{- range (index . 1).spec.rules }}
{{- range .callers }}
{{- $_ := set . "appID" (include "holdfast.resources.appId" (list $context .appID)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The app-id of a service that components/ calls by its chart's name. */}}
{{- define "holdfast.resources.appId" -}}
{{- $ids := (index . 0).Values.global.holdfast.appIds }}
{{- $known := dict "orchestrator" $ids.orchestrator "activity-worker" $ids.activityWorker "status-api" $ids.statusApi }}
{{- get $known (index . 1) | required (printf "components/ names an unknown app: %s" (index . 1)) }}
{{- end }}
