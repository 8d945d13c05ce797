{{/*
gatehouse.yaml: what the chart knows (ports, mounted files), and over it `config`.
*/}}
{{- define "gatehouse.config" -}}
{{- $chart := dict
  "listeners" (list (dict "address" (printf "0.0.0.0:%v" .Values.ports.http)))
  "health" (dict "address" (printf "0.0.0.0:%v" .Values.ports.health))
  "watch" true
  "tokens" (dict
    "access" (dict "keys" (list (dict "kid" "access" "algorithm" "ES256" "key_file" "/run/gatehouse/keys/access.pem")))
    "refresh" (dict "keys" (list (dict "kid" "refresh" "secret_file" "/run/gatehouse/keys/refresh.key"))))
}}
{{- if include "gatehouse.hasUsers" . }}
{{- $_ := set $chart "users" (dict "file" (printf "/run/gatehouse/users/%s" .Values.users.key)) }}
{{- end }}
{{- if .Values.redis.enabled }}
{{- $redis := dict }}
{{- with .Values.redis.url }}{{ $_ := set $redis "url" . }}{{ end }}
{{- if .Values.redis.existingSecret }}{{ $_ := set $redis "password_file" "/run/gatehouse/redis/password" }}{{ end }}
{{- if .Values.redis.caSecret }}{{ $_ := set $redis "tls" (dict "ca_file" "/run/gatehouse/redis/ca.crt") }}{{ end }}
{{- $_ := set $chart "store" (dict "kind" "redis" "redis" $redis) }}
{{- end }}
{{- tpl (toYaml (mustMergeOverwrite $chart (deepCopy .Values.config))) . }}
{{- end }}

{{/*
A duration of gatehouse.yaml ("1h30m", "500ms", 0) in milliseconds.
*/}}
{{- define "gatehouse.milliseconds" -}}
{{- $total := 0 }}
{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" (toString .) -1 }}
{{- $unit := regexFind "[a-z]+$" . }}
{{- $factor := get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000) $unit }}
{{- $total = add $total (mul (atoi (trimSuffix $unit .)) $factor) }}
{{- end }}
{{- $total }}
{{- end }}

{{/*
Seconds that a pod may need to end. A native sidecar waits out drain.delay twice: once for the
application's preStop, once for itself.
*/}}
{{- define "gatehouse.endSeconds" -}}
{{- $drain := dig "drain" dict .Values.config }}
{{- $delay := include "gatehouse.milliseconds" (dig "delay" "5s" $drain) | atoi }}
{{- $timeout := include "gatehouse.milliseconds" (dig "timeout" "20s" $drain) | atoi }}
{{- if include "gatehouse.isNative" . }}{{ $delay = mul 2 $delay }}{{ end }}
{{- div (add $delay $timeout 999) 1000 }}
{{- end }}

{{/*
Ports of Redis: of its URL, of the endpoints in `config.store.redis`, and where sentinels or a
cluster name the servers, also the one that these usually have.
*/}}
{{- define "gatehouse.redisPorts" -}}
{{- $redis := dig "store" "redis" dict .Values.config }}
{{- $mode := dig "mode" "standalone" $redis }}
{{- $usual := ternary "26379" "6379" (eq $mode "sentinel") }}
{{- $ports := list }}
{{- range $url := compact (list .Values.redis.url (dig "url" "" $redis)) }}
{{- $host := (urlParse $url).host }}
{{- if $host }}{{ $ports = append $ports (default "6379" (regexFind "[0-9]+$" (regexFind ":[0-9]+$" $host))) }}{{ end }}
{{- end }}
{{- range dig "endpoints" list $redis }}
{{- if not (hasPrefix "unix:" .) }}{{ $ports = append $ports (default $usual (regexFind "[0-9]+$" (regexFind ":[0-9]+$" .))) }}{{ end }}
{{- end }}
{{- if ne $mode "standalone" }}{{ $ports = append $ports "6379" }}{{ end }}
{{- $ports | uniq | join "," }}
{{- end }}

{{/*
What would only be found out at night is refused while rendering, with what to do.
*/}}
{{- define "gatehouse.validate" -}}
{{- $values := .Values }}
{{- $store := dig "store" "kind" (ternary "redis" "memory" $values.redis.enabled) $values.config }}
{{- if and $values.existingConfigMap $values.config }}
{{- fail "config and existingConfigMap: set one of them" }}
{{- end }}
{{- if not (or $values.existingConfigMap $values.config.upstreams (dig "endpoints" "auth" "" $values.config)) }}
{{- fail "config.upstreams: name the application, as in {app: {endpoints: [\"http://127.0.0.1:3000\"]}} (sidecar) or [\"http://my-app:80\"] (deployment)" }}
{{- end }}
{{- if and $values.existingSecret $values.keys.create }}
{{- fail "existingSecret and keys.create: set one of them" }}
{{- end }}
{{- if not (or $values.existingSecret $values.keys.create) }}
{{- fail "existingSecret: name a Secret with access.pem and refresh.key, or set keys.create: true to have them made once. Keys are never made silently, because new ones end all sessions" }}
{{- end }}
{{- if and $values.users.existingSecret $values.users.list }}
{{- fail "users.existingSecret and users.list: set one of them" }}
{{- end }}
{{- if and $values.redis.enabled (not (or $values.redis.url (dig "store" "redis" dict $values.config))) }}
{{- fail "redis.url: say where Redis is, such as rediss://gatehouse@redis:6379/0, or set config.store.redis" }}
{{- end }}
{{- $replicas := ternary (int $values.autoscaling.maxReplicas) (int $values.replicaCount) $values.autoscaling.enabled }}
{{- if and (eq $store "memory") (gt $replicas 1) (not $values.existingConfigMap) }}
{{- fail (printf "replicaCount: %d replicas need one store. With the memory store each replica knows only its own sessions, so users would be logged out whenever another one answers. Set redis.enabled: true, or one replica" $replicas) }}
{{- end }}
{{- $needed := include "gatehouse.endSeconds" . | atoi }}
{{- if and (not $values.existingConfigMap) (not (contains "${" (toYaml (dig "drain" dict $values.config)))) (gt $needed (int $values.terminationGracePeriodSeconds)) }}
{{- fail (printf "terminationGracePeriodSeconds: %d s is less than the end of a pod may take: %d s, of drain.delay%s and drain.timeout. What runs then would be killed. Raise it (in mode sidecar in your own pod, too), or shorten config.drain" (int $values.terminationGracePeriodSeconds) $needed (ternary " (twice)" "" (eq (include "gatehouse.isNative" .) "true"))) }}
{{- end }}
{{- if and (eq $values.mode "sidecar") $values.sidecar.native (semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail (printf "sidecar.native: Kubernetes %s does not run init containers with restartPolicy: Always by default (1.29 does). Set sidecar.native: false" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- end }}
