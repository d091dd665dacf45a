{{- define "service.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects objects of one kind; a component tells the kinds apart. Takes a dict: root, component. */}}
{{- define "service.selectorLabels" -}}
app.kubernetes.io/name: {{ include "service.fullname" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
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
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end -}}

{{- define "service.minReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end -}}

{{- define "service.workers" -}}
{{- ternary .Values.gunicorn.workers 1 .Values.gunicorn.enabled -}}
{{- end -}}

{{/* Where the database's address is: a secretKeyRef. */}}
{{- define "service.databaseSecret" -}}
{{- if eq .Values.database.mode "external" -}}
name: {{ .Values.database.existingSecret }}
key: {{ .Values.database.secretKey }}
{{- else if eq .Values.database.mode "cnpg" -}}
name: {{ include "service.databaseName" . }}-app
key: uri
{{- else -}}
name: {{ include "service.databaseName" . }}
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
