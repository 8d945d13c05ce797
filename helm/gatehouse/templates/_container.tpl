{{/*
The container of Gatehouse, as an item of a list of containers. In your chart, where `gatehouse` is a
dependency:

  initContainers:
    {{- include "gatehouse.sidecar" .Subcharts.gatehouse | nindent 4 }}

With `sidecar.native: false` the same goes under `containers`. The volumes come from
"gatehouse.volumes" and the application's `lifecycle` from "gatehouse.appLifecycle".
*/}}
{{- define "gatehouse.sidecar" -}}
{{- include "gatehouse.validate" . }}
{{- include "gatehouse.container" . }}
{{- end }}

{{- define "gatehouse.container" -}}
- name: gatehouse
  image: {{ include "gatehouse.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if include "gatehouse.isNative" . }}
  restartPolicy: Always
  {{- end }}
  args:
    {{- toYaml .Values.args | nindent 4 }}
  ports:
    - {name: http, containerPort: {{ .Values.ports.http }}, protocol: TCP}
    - {name: health, containerPort: {{ .Values.ports.health }}, protocol: TCP}
  {{- with .Values.extraEnv }}
  env:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  {{- range $name := list "startupProbe" "livenessProbe" "readinessProbe" "lifecycle" "resources" "securityContext" }}
  {{- with index $.Values $name }}
  {{ $name }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  volumeMounts:
    - {name: gatehouse-config, mountPath: /etc/gatehouse, readOnly: true}
    - {name: gatehouse-keys, mountPath: /run/gatehouse/keys, readOnly: true}
    {{- if include "gatehouse.hasUsers" . }}
    - {name: gatehouse-users, mountPath: /run/gatehouse/users, readOnly: true}
    {{- end }}
    {{- if or .Values.redis.existingSecret .Values.redis.caSecret }}
    - {name: gatehouse-redis, mountPath: /run/gatehouse/redis, readOnly: true}
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
{{- end }}
