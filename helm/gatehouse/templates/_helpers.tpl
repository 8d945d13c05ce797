{{/* Names and labels. */}}
{{- define "gatehouse.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "gatehouse.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "gatehouse.ownSelectorLabels" -}}
app.kubernetes.io/name: {{ include "gatehouse.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gatehouse.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "gatehouse.ownSelectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What selects the pods with Gatehouse in them: ours, or those of the application. */}}
{{- define "gatehouse.selectorLabels" -}}
{{- if eq .Values.mode "deployment" }}
{{- include "gatehouse.ownSelectorLabels" . }}
{{- else if .Values.sidecar.selectorLabels }}
{{- tpl (toYaml .Values.sidecar.selectorLabels) . }}
{{- else }}
{{- fail "sidecar.selectorLabels: name the labels of your pods, because the Service, NetworkPolicy, disruption budget and monitor of this chart select them (or set enabled: false for each)" }}
{{- end }}
{{- end }}

{{- define "gatehouse.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "gatehouse.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "gatehouse.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "gatehouse.configMapName" -}}
{{- default (include "gatehouse.fullname" .) (tpl .Values.existingConfigMap .) }}
{{- end }}

{{- define "gatehouse.keysSecretName" -}}
{{- default (printf "%s-keys" (include "gatehouse.fullname" .)) (tpl .Values.existingSecret .) }}
{{- end }}

{{- define "gatehouse.usersSecretName" -}}
{{- default (printf "%s-users" (include "gatehouse.fullname" .)) (tpl .Values.users.existingSecret .) }}
{{- end }}

{{/* Whether there is anything to mount at /run/gatehouse/users. */}}
{{- define "gatehouse.hasUsers" -}}
{{- if or .Values.users.existingSecret .Values.users.list }}true{{ end }}
{{- end }}

{{- define "gatehouse.isNative" -}}
{{- if and (eq .Values.mode "sidecar") .Values.sidecar.native }}true{{ end }}
{{- end }}
