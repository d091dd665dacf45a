{{/* The release's name. A parent chart may hold several of these charts, so as a part of it the chart's name follows. */}}
{{- define "service.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (or .Chart.IsRoot (contains .Chart.Name .Release.Name)) -}}
{{- $name = printf "%s-%s" .Release.Name .Chart.Name -}}
{{- end -}}
{{- .Values.fullnameOverride | default $name | trunc 40 | trimAll "-" -}}
{{- end -}}

{{/* What selects objects of one kind; a component tells the kinds apart. Takes a dict: root, component. */}}
{{- define "service.selectorLabels" -}}
app.kubernetes.io/name: {{ include "service.fullname" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The chart's version is on objects only: in a pod's labels it would restart every pod with each new chart. */}}
{{- define "service.labels" -}}
{{ include "service.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "service.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "service.serviceAccountName" -}}
{{- $made := ternary (include "service.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $made -}}
{{- end -}}

{{- define "service.internalName" -}}{{ include "service.fullname" . }}-internal{{- end -}}
{{- define "service.databaseName" -}}{{ include "service.fullname" . }}-database{{- end -}}

{{/* The most pods that can be wanted; a rolling update adds one. */}}
{{- define "service.maxReplicas" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled | int64 -}}
{{- end -}}

{{- define "service.minReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled | int64 -}}
{{- end -}}

{{- define "service.workers" -}}
{{- ternary .Values.gunicorn.workers 1 .Values.gunicorn.enabled | int64 -}}
{{- end -}}

{{/* Not the name that a Secret of the user's own is likely to have. */}}
{{- define "service.evaluationSecretName" -}}{{ include "service.databaseName" . }}-evaluation{{- end -}}

{{/* Where the database's address is: a secretKeyRef. */}}
{{- define "service.databaseSecret" -}}
{{- if eq .Values.database.mode "external" -}}
name: {{ .Values.database.existingSecret | quote }}
key: {{ .Values.database.secretKey | quote }}
{{- else if eq .Values.database.mode "cnpg" -}}
name: {{ include "service.databaseName" . }}-app
key: uri
{{- else -}}
name: {{ include "service.evaluationSecretName" . }}
key: DATABASE_URL
{{- end -}}
{{- end -}}

{{- define "service.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "service.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What every pod of the service's image begins with. */}}
{{- define "service.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "service.podSecurityContext" 10001 | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The drain, the last requests up to their deadline, and time to close. */}}
{{- define "service.terminationGracePeriodSeconds" -}}
{{- add .Values.drainSeconds .Values.config.requestTimeoutSeconds 10 -}}
{{- end -}}

{{/* The variables that the chart sets from its values, beside DATABASE_URL; `extraEnv` may set others. */}}
{{- define "service.variables" -}}
PORT: "8080"
INTERNAL_PORT: "8081"
DRAIN_SECONDS: {{ int64 .Values.drainSeconds | quote }}
TERMINATION_GRACE_PERIOD_SECONDS: {{ include "service.terminationGracePeriodSeconds" . | quote }}
{{- with .Values.config }}
DATABASE_POOL_SIZE: {{ int64 .databasePoolSize | quote }}
DATABASE_ACQUIRE_TIMEOUT_SECONDS: {{ .databaseAcquireTimeoutSeconds | quote }}
DATABASE_STATEMENT_TIMEOUT_SECONDS: {{ .databaseStatementTimeoutSeconds | quote }}
DATABASE_COMMAND_TIMEOUT_SECONDS: {{ .databaseCommandTimeoutSeconds | quote }}
REQUEST_TIMEOUT_SECONDS: {{ int64 .requestTimeoutSeconds | quote }}
MAX_IN_FLIGHT: {{ int64 .maxInFlight | quote }}
MAX_BODY_BYTES: {{ int64 .maxBodyBytes | quote }}
LOG_LEVEL: {{ .logLevel | quote }}
LOG_FORMAT: {{ .logFormat | quote }}
{{- end }}
{{- if .Values.gunicorn.enabled }}
WEB_CONCURRENCY: {{ int64 .Values.gunicorn.workers | quote }}
{{- end }}
{{- end -}}

{{/* The environment of the service's code, in its pods and in the migration Job. Takes a dict: root, databaseSecret. */}}
{{- define "service.environment" -}}
env:
  - name: DATABASE_URL
    valueFrom:
      secretKeyRef:
        {{- .databaseSecret | nindent 8 }}
  {{- range $name, $value := include "service.variables" .root | fromYaml }}
  - name: {{ $name }}
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

{{/* The root is read-only, so there is a volume for temporary files. */}}
{{- define "service.volumeMounts" -}}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "service.volumes" -}}
volumes:
  - name: tmp
    emptyDir: {}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
