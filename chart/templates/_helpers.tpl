{{/* The name of all objects, at most 40 characters. In a parent chart, which may contain several services, the alias follows the
release's name, unless the two are equal. A name that is cut ends in a hash of all of it. */}}
{{- define "service.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (or .Chart.IsRoot (eq .Chart.Name .Release.Name)) -}}
{{- $name = printf "%s-%s" .Release.Name .Chart.Name -}}
{{- end -}}
{{- if gt (len $name) 40 -}}
{{- $name = printf "%s-%s" ($name | trunc 31 | trimAll "-") ($name | sha256sum | trunc 8) -}}
{{- end -}}
{{- .Values.fullnameOverride | default $name -}}
{{- end -}}

{{/* The name that charts before 0.4 gave to all objects. Another one would leave a database behind. */}}
{{- define "service.formerFullname" -}}
{{- $name := .Release.Name -}}
{{- if not (or .Chart.IsRoot (contains .Chart.Name .Release.Name)) -}}
{{- $name = printf "%s-%s" .Release.Name .Chart.Name -}}
{{- end -}}
{{- $name | trunc 40 | trimAll "-" -}}
{{- end -}}

{{/* Selector labels of the objects of one component. Takes a dict: root, component. */}}
{{- define "service.selectorLabels" -}}
app.kubernetes.io/name: {{ include "service.fullname" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component | quote }}
{{- end -}}

{{/* Labels of an object. Pods do not get the chart's version, because each new chart would then restart all pods. Takes a dict: root, component, optionally more. */}}
{{- define "service.labels" -}}
{{ include "service.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimAll "-_." | quote }}
{{- with merge (dict) (.more | default dict) .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "service.image" -}}
{{- $image := printf "%s:%s" .Values.image.repository .Values.image.tag -}}
{{- if .Values.image.digest -}}{{- $image = printf "%s@%s" .Values.image.repository .Values.image.digest -}}{{- end -}}
{{- include "service.imageFrom" (list . $image) -}}
{{- end -}}

{{/* An image, from `global.imageRegistry` if that is set. Its first part is a registry if it looks like a host. Takes a list: root, image. */}}
{{- define "service.imageFrom" -}}
{{- $image := index . 1 -}}
{{- with (index . 0).Values.global.imageRegistry -}}
{{- $parts := splitList "/" $image -}}
{{- if and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) -}}{{- $parts = rest $parts -}}{{- end -}}
{{- $image = prepend $parts . | join "/" -}}
{{- end -}}
{{- $image -}}
{{- end -}}

{{- define "service.pullSecrets" -}}
{{- $names := list -}}
{{- range concat .Values.image.pullSecrets (.Values.global.imagePullSecrets | default list) -}}
{{- if kindIs "map" . -}}{{- $names = append $names .name -}}{{- else -}}{{- $names = append $names . -}}{{- end -}}
{{- end -}}
{{- with uniq $names -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* The address families of a Service. */}}
{{- define "service.ipFamilies" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . | quote }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies: {{ toJson . }}
{{- end }}
{{- end -}}

{{/* Seconds of a duration such as 1m30s. */}}
{{- define "service.durationSeconds" -}}
{{- $seconds := 0.0 -}}
{{- range regexFindAll "[0-9]+(ms|[smh])" . -1 -}}
{{- $unit := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) (regexFind "[a-z]+" .) -}}
{{- $seconds = addf $seconds (mulf (regexFind "[0-9]+" .) $unit) -}}
{{- end -}}
{{- $seconds -}}
{{- end -}}

{{- define "service.serviceAccountName" -}}
{{- $made := ternary (include "service.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $made -}}
{{- end -}}

{{- define "service.internalName" -}}{{ include "service.fullname" . }}-internal{{- end -}}
{{- define "service.databaseName" -}}{{ include "service.fullname" . }}-database{{- end -}}

{{/* Maximum number of pods; a rolling update adds one. */}}
{{- define "service.maxReplicas" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled | int64 -}}
{{- end -}}

{{- define "service.minReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled | int64 -}}
{{- end -}}

{{- define "service.workers" -}}
{{- ternary .Values.gunicorn.workers 1 .Values.gunicorn.enabled | int64 -}}
{{- end -}}

{{/* A name that the user's own Secret is unlikely to have. */}}
{{- define "service.evaluationSecretName" -}}{{ include "service.databaseName" . }}-evaluation{{- end -}}

{{/* The secretKeyRef of the database's address. */}}
{{- define "service.databaseSecret" -}}
{{- if eq .Values.database.mode "external" -}}
name: {{ .Values.database.existingSecret | quote }}
key: {{ .Values.database.secretKey | quote }}
{{- else if eq .Values.database.mode "cnpg" -}}
name: {{ printf "%s-app" (include "service.databaseName" .) | quote }}
key: uri
{{- else -}}
name: {{ include "service.evaluationSecretName" . | quote }}
key: DATABASE_URL
{{- end -}}
{{- end -}}

{{/* The value of the replica's address; empty if there is none. The service adds the database's user and password. */}}
{{- define "service.replicaAddress" -}}
{{- if .Values.databaseReplica.enabled -}}
{{- if eq .Values.database.mode "cnpg" -}}
value: {{ printf "postgresql://%s-ro:5432/service" (include "service.databaseName" .) | quote }}
{{- else -}}
valueFrom:
  secretKeyRef:
    name: {{ .Values.database.existingSecret | quote }}
    key: {{ .Values.databaseReplica.secretKey | quote }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Takes the user's ID, or 0 to leave it to the cluster. */}}
{{- define "service.podSecurityContext" -}}
runAsNonRoot: true
{{- with . }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "service.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The user's settings over the chart's, two levels deep; null removes one. Takes a list: the chart's as YAML, the user's. */}}
{{- define "service.overlaid" -}}
{{- $result := index . 0 | fromYaml -}}
{{- range $name, $value := index . 1 -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $result $name -}}
{{- else if and (kindIs "map" $value) (kindIs "map" (get $result $name)) -}}
{{- range $inner, $each := $value -}}{{- $_ := set (get $result $name) $inner $each -}}{{- end -}}
{{- else -}}
{{- $_ := set $result $name $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $result -}}
{{- end -}}

{{/* The security context of the containers that run the service's image. */}}
{{- define "service.ownSecurityContext" -}}
{{- include "service.overlaid" (list (include "service.containerSecurityContext" .) .Values.securityContext) -}}
{{- end -}}

{{/* A count, or a share of the pods, which Kubernetes rounds up, as a number. Takes a dict: value, pods. */}}
{{- define "service.ofPods" -}}
{{- if kindIs "string" .value -}}{{- divf (mulf (trimSuffix "%" .value) .pods) 100 | ceil | int -}}{{- else -}}{{- int .value -}}{{- end -}}
{{- end -}}

{{/* A count, or a share of the pods, as Kubernetes reads it. */}}
{{- define "service.countOrShare" -}}
{{- if kindIs "string" . -}}{{- quote . -}}{{- else -}}{{- int64 . -}}{{- end -}}
{{- end -}}

{{/* The common start of the spec of all pods that run the service's image. */}}
{{- define "service.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with include "service.pullSecrets" . }}
{{ . }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
securityContext:
  {{- include "service.overlaid" (list (include "service.podSecurityContext" (ternary 10001 0 .Values.podSecurity.setIds)) .Values.podSecurityContext) | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The hosts of the Ingress with their paths, as `hosts:` in YAML. */}}
{{- define "service.ingressHosts" -}}
{{- $paths := list (dict "path" .Values.ingress.path) -}}
{{- $hosts := list -}}
{{- with .Values.ingress.host -}}{{- $hosts = append $hosts (dict "host" . "paths" $paths) -}}{{- end -}}
{{- range .Values.ingress.hosts -}}{{- $hosts = append $hosts (dict "host" .host "paths" (.paths | default $paths)) -}}{{- end -}}
{{- toYaml (dict "hosts" $hosts) -}}
{{- end -}}

{{/* The drain, the deadline of the last requests, and time to close. */}}
{{- define "service.terminationGracePeriodSeconds" -}}
{{- add .Values.drainSeconds .Values.config.requestTimeoutSeconds 10 -}}
{{- end -}}

{{/* The pod's: the container gets SIGTERM after its preStop hook. */}}
{{- define "service.podGracePeriodSeconds" -}}
{{- add (include "service.terminationGracePeriodSeconds" .) (dig "preStop" "sleep" "seconds" 0 .Values.lifecycle) -}}
{{- end -}}

{{/* The service's settings, and the chart's values that they are set from; an empty value is not set. */}}
{{- define "service.settings" -}}
CLIENT_TIMEOUT_SECONDS: config.clientTimeoutSeconds
RESOURCE_TIMEOUT_SECONDS: config.resourceTimeoutSeconds
CORS_ORIGINS: config.corsOrigins
DATABASE_ACQUIRE_TIMEOUT_SECONDS: config.databaseAcquireTimeoutSeconds
DATABASE_COALESCE_READS: config.databaseCoalesceReads
DATABASE_COMMAND_TIMEOUT_SECONDS: config.databaseCommandTimeoutSeconds
DATABASE_CONNECT_TIMEOUT_SECONDS: config.databaseConnectTimeoutSeconds
DATABASE_LOCK_TIMEOUT_SECONDS: config.databaseLockTimeoutSeconds
DATABASE_POOL_SIZE: config.databasePoolSize
DATABASE_REPLICA_MAX_LAG_SECONDS: databaseReplica.maxLagSeconds
DATABASE_STATEMENT_TIMEOUT_SECONDS: config.databaseStatementTimeoutSeconds
DATABASE_STREAM_IDLE_TIMEOUT_SECONDS: config.databaseStreamIdleTimeoutSeconds
DATABASE_STREAM_POOL_SIZE: config.databaseStreamPoolSize
DRAIN_SECONDS: drainSeconds
HEADER_TIMEOUT_SECONDS: config.headerTimeoutSeconds
KEEP_ALIVE_TIMEOUT_SECONDS: config.keepAliveTimeoutSeconds
BODY_MIN_BYTES_PER_SECOND: config.bodyMinBytesPerSecond
BODY_TIMEOUT_SECONDS: config.bodyTimeoutSeconds
IDEMPOTENCY_CALLER_HEADER: config.idempotencyCallerHeader
IDEMPOTENCY_KEEP_SECONDS: config.idempotencyKeepSeconds
LOG_FORMAT: config.logFormat
LOG_LEVEL: config.logLevel
MAX_BODY_BYTES: config.maxBodyBytes
MAX_IN_FLIGHT: config.maxInFlight
MAX_STREAMS: config.maxStreams
MIGRATION_CONNECT_TIMEOUT_SECONDS: migrations.connectTimeoutSeconds
MIGRATION_LOCK_TIMEOUT_SECONDS: migrations.lockTimeoutSeconds
OIDC_AUDIENCE: auth.audience
OIDC_ISSUER: auth.issuer
OIDC_JWKS_URL: auth.jwksUrl
OTEL_EXPORTER_OTLP_ENDPOINT: tracing.endpoint
PGSSLMODE: database.sslMode
REQUEST_TIMEOUT_SECONDS: config.requestTimeoutSeconds
REQUIRE_IF_MATCH: config.requireIfMatch
STREAM_IDLE_TIMEOUT_SECONDS: config.streamIdleTimeoutSeconds
STREAM_SEND_TIMEOUT_SECONDS: config.streamSendTimeoutSeconds
{{- end -}}

{{/* All environment variables that the chart sets, except the addresses of the database; `extraEnv` may set others. */}}
{{- define "service.variables" -}}
{{- $variables := dict "PORT" "8080" "INTERNAL_PORT" "8081" -}}
{{- range $name, $path := include "service.settings" . | fromYaml -}}
  {{- $value := $.Values -}}
  {{- range splitList "." $path -}}{{- $value = index $value . -}}{{- end -}}
  {{- if kindIs "slice" $value -}}
    {{- $value = join "," $value -}}
  {{- else if and (kindIs "float64" $value) (eq (floor $value) $value) -}}
    {{- $value = int64 $value -}}{{/* toString would write a large float64 as 1e+06 */}}
  {{- end -}}
  {{- if ne (toString $value) "" -}}{{- $_ := set $variables $name (toString $value) -}}{{- end -}}
{{- end -}}
{{- if not (or (hasKey $variables "MIGRATION_CONNECT_TIMEOUT_SECONDS") (eq .Values.database.mode "external")) -}}
  {{- $_ := set $variables "MIGRATION_CONNECT_TIMEOUT_SECONDS" (divf .Values.migrations.timeoutSeconds 2 | minf 3600 | toString) -}}
{{- end -}}
{{- $_ := set $variables "TERMINATION_GRACE_PERIOD_SECONDS" (include "service.terminationGracePeriodSeconds" .) -}}
{{- if .Values.config.host -}}{{- $_ := set $variables "HOST" .Values.config.host -}}{{- end -}}
{{- if .Values.database.caSecret -}}{{- $_ := set $variables "PGSSLROOTCERT" "/etc/database-ca/ca.crt" -}}{{- end -}}
{{- if .Values.gunicorn.enabled -}}{{- $_ := set $variables "WEB_CONCURRENCY" (include "service.workers" .) -}}{{- end -}}
{{- if .Values.tracing.endpoint -}}
  {{- $_ := set $variables "OTEL_TRACES_SAMPLER" "parentbased_traceidratio" -}}
  {{- $_ := set $variables "OTEL_TRACES_SAMPLER_ARG" (toString .Values.tracing.sampleRatio) -}}
{{- end -}}
{{- toYaml $variables -}}
{{- end -}}

{{/* Environment variables of the service's code, for its pods and the migration Job. Takes a dict: root, databaseSecret. */}}
{{- define "service.environment" -}}
env:
  - name: DATABASE_URL
    valueFrom:
      secretKeyRef:
        {{- .databaseSecret | nindent 8 }}
  {{- with include "service.replicaAddress" .root }}
  - name: DATABASE_REPLICA_URL
    {{- . | nindent 4 }}
  {{- end }}
  {{- range $name, $value := include "service.variables" .root | fromYaml }}
  - name: {{ $name | quote }}
    value: {{ $value | quote }}
  {{- end }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The root file system is read-only, so temporary files need a volume. */}}
{{- define "service.volumeMounts" -}}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if .Values.database.caSecret }}
  - name: database-ca
    mountPath: /etc/database-ca
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "service.volumes" -}}
volumes:
  - name: tmp
    emptyDir: {}
  {{- with .Values.database.caSecret }}
  - name: database-ca
    secret:
      secretName: {{ . | quote }}
      items: [{key: ca.crt, path: ca.crt}]
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The security context of a container of the user. */}}
{{- define "service.containerContext" -}}
{{- $context := include "service.containerSecurityContext" . | fromYaml -}}
{{- range $name, $value := .securityContext -}}{{- $_ := set $context $name $value -}}{{- end -}}
{{- toYaml $context -}}
{{- end -}}

{{/* The user's containers, with the chart's security context; the settings of the container take precedence. */}}
{{- define "service.containers" -}}
{{- range . }}
- {{- toYaml (set (deepCopy .) "securityContext" (include "service.containerContext" . | fromYaml)) | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The egress rule for DNS. */}}
{{- define "service.dnsEgress" -}}
- ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - {port: {{ int64 . }}, protocol: UDP}
    - {port: {{ int64 . }}, protocol: TCP}
    {{- end }}
{{- end -}}

{{/* Egress rules for the database and DNS, and `networkPolicy.extraEgress`. */}}
{{- define "service.egress" -}}
{{- $policy := .Values.networkPolicy -}}
{{ include "service.dnsEgress" . }}
{{- if eq .Values.database.mode "external" }}
- ports:
    {{- range $policy.databasePorts }}
    - port: {{ int64 . }}
    {{- end }}
  {{- with $policy.databaseTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- else }}
- ports: [{port: 5432}]
  to:
    - podSelector:
        matchLabels:
          {{- if eq .Values.database.mode "cnpg" }}
          cnpg.io/cluster: {{ include "service.databaseName" . | quote }}
          {{- else }}
          {{- include "service.selectorLabels" (dict "root" . "component" "database") | nindent 10 }}
          {{- end }}
{{- end }}
{{- with $policy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A quantity such as 250m, 64Mi or 1e3 as a number. */}}
{{- define "service.quantity" -}}
{{- if kindIs "string" . -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 0x1p10 "Mi" 0x1p20 "Gi" 0x1p30 "Ti" 0x1p40 "Pi" 0x1p50 "Ei" 0x1p60 -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?([eE][0-9]+)?" . -}}
{{- mulf (float64 $number) (get $units (trimPrefix $number .)) -}}
{{- else -}}
{{- float64 . -}}
{{- end -}}
{{- end -}}

{{/* The port of a URL such as https://example.com or http://example.com:8080. */}}
{{- define "service.portOf" -}}
{{- regexFind "^https?://[^/]+" . | regexFind ":[0-9]+$" | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https:" .)) -}}
{{- end -}}
