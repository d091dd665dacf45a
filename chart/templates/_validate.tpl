{{/* Mistakes that a schema cannot see, all in one message: the value, its rule, the way out. */}}
{{- define "service.validate" -}}
{{- $found := list -}}
{{- $modes := list "external" "cnpg" "evaluation" -}}
{{- if not (has .Values.database.mode $modes) -}}
{{- $found = append $found "database.mode is not set: choose external (a PostgreSQL of yours, its address in the Secret database.existingSecret), cnpg (a CloudNativePG Cluster that this chart makes) or evaluation (a small PostgreSQL for trials)." -}}
{{- end -}}
{{- if and (eq .Values.database.mode "external") (not .Values.database.existingSecret) -}}
{{- $found = append $found "database.existingSecret is not set: database.mode external takes the address from a Secret; make one with the key DATABASE_URL and name it." -}}
{{- end -}}
{{- if and (eq .Values.database.mode "evaluation") (not .Values.evaluation.password) -}}
{{- $found = append $found "evaluation.password is not set: choose 8 or more letters and digits, for example with --set evaluation.password=…" -}}
{{- end -}}
{{- $name := include "service.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- $found = append $found (printf "%s cannot be the name of a Service: it begins with a letter and holds lower-case letters, digits and hyphens; name the release otherwise, or set fullnameOverride." $name) -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.extraEnv -}}
{{- if or (eq .name "DATABASE_URL") (hasKey (include "service.variables" $ | fromYaml) .name) -}}
{{- $found = append $found (printf "extraEnv sets %s, which the chart sets from its own values: set database, drainSeconds, gunicorn or config instead." .name) -}}
{{- end -}}
{{- if has .name $names -}}
{{- $found = append $found (printf "extraEnv sets %s twice: leave one out." .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- $timeouts := list "databaseStatementTimeoutSeconds" "databaseCommandTimeoutSeconds" "requestTimeoutSeconds" -}}
{{- range $n, $longer := rest $timeouts -}}
{{- $shorter := index $timeouts $n -}}
{{- if le (float64 (index $.Values.config $longer)) (float64 (index $.Values.config $shorter)) -}}
{{- $found = append $found (printf "config.%s (%v) is not longer than config.%s (%v), which it contains: raise the one or lower the other." $longer (index $.Values.config $longer) $shorter (index $.Values.config $shorter)) -}}
{{- end -}}
{{- end -}}
{{- if not .Values.image.repository -}}
{{- $found = append $found "image.repository is not set: name the service's image, such as ghcr.io/example-team/items-service." -}}
{{- end -}}
{{- if not (or .Values.image.tag .Values.image.digest) -}}
{{- $found = append $found "image.tag is not set: name the version to run, for example with --set-string image.tag=1.0.0, or an image.digest." -}}
{{- end -}}
{{- if and (eq .Values.image.tag "latest") (not .Values.image.digest) -}}
{{- $found = append $found "image.tag is latest: nobody could tell what runs, or go back to it; name a version." -}}
{{- end -}}
{{- if and .Values.gunicorn.enabled (not .Values.gunicorn.available) -}}
{{- $found = append $found "gunicorn.enabled is true but gunicorn.available is false: this service was made without Gunicorn; make it again with the answer gunicorn=yes, or leave gunicorn.enabled off." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- $found = append $found "ingress.host is not set: an Ingress without one answers for every host of the cluster; name it, or turn ingress.enabled off." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- $found = append $found "httpRoute.parentRefs is empty: an HTTPRoute without a Gateway is reached by nobody; name one, or turn httpRoute.enabled off." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.host) -}}
{{- $found = append $found "httpRoute.host is not set: a route without one answers for every host of its Gateway; name it, or turn httpRoute.enabled off." -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- $found = append $found (printf "autoscaling.minReplicas (%d) is above autoscaling.maxReplicas (%d): lower the one or raise the other." (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if not (dig "requests" "cpu" "" .Values.resources) -}}
{{- $found = append $found "resources.requests.cpu is not set: autoscaling measures against it; set it, or turn autoscaling.enabled off." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.prometheusRule.enabled (not .Values.serviceMonitor.enabled) -}}
{{- $found = append $found "prometheusRule.enabled is true but serviceMonitor.enabled is false: its alerts ask for what a ServiceMonitor reads; turn it on, or the alerts off." -}}
{{- end -}}
{{- with .Values.networkPolicy -}}
{{- if .enabled -}}
{{- if and (eq $.Values.database.mode "external") (not .databaseTo) -}}
{{- $found = append $found "networkPolicy.databaseTo is empty: nothing would reach the database; name its peers, for example an ipBlock." -}}
{{- end -}}
{{- if and (or $.Values.ingress.enabled $.Values.httpRoute.enabled) (not .apiFrom) -}}
{{- $found = append $found "networkPolicy.apiFrom is empty: the Ingress or Gateway would not reach the service; name its namespace as a peer." -}}
{{- end -}}
{{- if and $.Values.serviceMonitor.enabled (not .internalFrom) -}}
{{- $found = append $found "networkPolicy.internalFrom is empty: Prometheus would not reach the metrics; name its namespace as a peer." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $replicas := int (include "service.maxReplicas" .) -}}
{{- $workers := int (include "service.workers" .) -}}
{{- $pool := int .Values.config.databasePoolSize -}}
{{- $reserve := int .Values.database.reserveConnections -}}
{{- $wanted := add (mul (add $replicas 1) $workers $pool) $reserve -}}
{{- if gt $wanted (int64 .Values.database.maxConnections) -}}
{{- $found = append $found (printf "config.databasePoolSize (%d) is too large: (%d pods + 1 in a rolling update) × %d workers × %d connections + %d in reserve = %d, and database.maxConnections is %d; lower the pool, the pods or the workers, or raise what the database allows." $pool $replicas $workers $pool $reserve $wanted (int .Values.database.maxConnections)) -}}
{{- end -}}
{{- if $found -}}
{{- fail (printf "\n\n%s\n" (join "\n" $found)) -}}
{{- end -}}
{{- end -}}
