{{/*
The volumes that the container mounts. In our own pods secret files are for fsGroup only. In somebody
else's pod there may be no fsGroup, so they keep Kubernetes' default mode; nobody else mounts them.
*/}}
{{- define "gatehouse.secretMode" -}}
{{- if and (eq .Values.mode "deployment") (dig "fsGroup" "" .Values.podSecurityContext) }}
defaultMode: 288 # 0440
{{- end }}
{{- end }}

{{- define "gatehouse.volumes" -}}
- name: gatehouse-config
  configMap:
    name: {{ include "gatehouse.configMapName" . }}
- name: gatehouse-keys
  secret:
    secretName: {{ include "gatehouse.keysSecretName" . }}
    {{- with include "gatehouse.secretMode" . }}{{ . | trim | nindent 4 }}{{ end }}
{{- if include "gatehouse.hasUsers" . }}
- name: gatehouse-users
  secret:
    secretName: {{ include "gatehouse.usersSecretName" . }}
    {{- with include "gatehouse.secretMode" . }}{{ . | trim | nindent 4 }}{{ end }}
{{- end }}
{{- if or .Values.redis.existingSecret .Values.redis.caSecret }}
- name: gatehouse-redis
  projected:
    {{- with include "gatehouse.secretMode" . }}{{ . | trim | nindent 4 }}{{ end }}
    sources:
      {{- with .Values.redis.existingSecret }}
      - secret:
          name: {{ tpl . $ }}
          items: [{key: {{ $.Values.redis.passwordKey }}, path: password}]
      {{- end }}
      {{- with .Values.redis.caSecret }}
      - secret:
          name: {{ tpl . $ }}
          items: [{key: {{ $.Values.redis.caKey }}, path: ca.crt}]
      {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end }}

{{/*
`lifecycle` of the application's container: Kubernetes asks Gatehouse first, which answers after
drain.delay, so that the application does not end before clients have stopped coming.
*/}}
{{- define "gatehouse.appLifecycle" -}}
preStop:
  httpGet: {path: /prestop, port: {{ .Values.ports.health }}}
{{- end }}

{{/* The `securityContext` of a pod that passes Pod Security "restricted". */}}
{{- define "gatehouse.podSecurityContext" -}}
{{- toYaml .Values.podSecurityContext }}
{{- end }}
