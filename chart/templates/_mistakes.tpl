{{/* What _validate.tpl refuses in the parts of values; each template returns a list of sentences. */}}

{{/* Quantities that Kubernetes refuses, or with which no container starts. */}}
{{- define "service.quantityMistakes" -}}
{{- $found := list -}}
{{- range $path, $resources := dict "resources" .Values.resources "migrations.resources" .Values.migrations.resources "test.resources" .Values.test.resources -}}
{{- range $kind := list "requests" "limits" -}}
{{- range $name, $value := index $resources $kind | default dict -}}
{{- $quantity := include "service.quantity" $value | float64 -}}
{{- if or (lt $quantity 0.0) (and (eq $kind "limits") (eq $quantity 0.0)) -}}
{{- $found = append $found (printf "%s.%s.%s is %v: a quantity is above 0; set it, or remove it." $path $kind $name $value) -}}
{{- else if and (eq $name "memory") (gt $quantity 0.0) (lt $quantity (include "service.quantity" "6Mi" | float64)) -}}
{{- $found = append $found (printf "%s.%s.memory is %v, which is %v bytes: no container starts with less than 6Mi; memory has a unit such as Mi or Gi, and m is a thousandth." $path $kind $value $quantity) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $request := $resources.requests -}}
{{- $limit := index ($resources.limits | default dict) $name -}}
{{- if and (not (kindIs "invalid" $limit)) (gt (include "service.quantity" $request | float64) (include "service.quantity" $limit | float64)) -}}
{{- $found = append $found (printf "%s.requests.%s (%v) is above %s.limits.%s (%v): lower the first or raise the second." $path $name $request $path $name $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $mode := .Values.database.mode -}}
{{- if has $mode (list "cnpg" "evaluation") -}}
{{- $size := (index .Values $mode).storageSize -}}
{{- if lt (include "service.quantity" $size | float64) (include "service.quantity" "100Mi" | float64) -}}
{{- $found = append $found (printf "%s.storageSize is %s: no PostgreSQL starts with less than 100Mi; raise it, with a unit such as Gi." $mode $size) -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* Keys of labels and annotations. */}}
{{- define "service.keyMistakes" -}}
{{- $found := list -}}
{{- range $path := list "commonLabels" "podLabels" "migrations.podLabels" "test.podLabels" "nodeSelector" "dashboard.labels" "serviceMonitor.labels" "prometheusRule.labels" "deploymentAnnotations" "podAnnotations" "migrations.annotations" "migrations.podAnnotations" "test.podAnnotations" "ingress.annotations" "httpRoute.annotations" "keda.annotations" "service.annotations" "serviceAccount.annotations" -}}
{{- $table := $.Values -}}
{{- range splitList "." $path -}}{{- $table = index $table . -}}{{- end -}}
{{- range $key, $_ := $table -}}
{{- if not (regexMatch "^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$" $key) -}}
{{- $found = append $found (printf "%s has the key %q: a key has up to 63 letters, digits, hyphens, underscores and dots, and may follow a DNS name and a slash; rename it." $path $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* Hosts and paths of Ingress and HTTPRoute, and ports of URLs. */}}
{{- define "service.addressMistakes" -}}
{{- $found := list -}}
{{- range $name := list "ingress" "httpRoute" -}}
{{- with index $.Values $name -}}
{{- with include "service.pathMistake" .path -}}
{{- $found = append $found (printf "%s.path is %s: %s" $name (index $.Values $name).path .) -}}
{{- end -}}
{{- if regexMatch "^[0-9]+([.][0-9]+){3}$" .host -}}
{{- $found = append $found (printf "%s.host is %s: a host is a DNS name and not an address; set a name." $name .host) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.httpRoute.hostnames -}}
{{- if regexMatch "^[0-9]+([.][0-9]+){3}$" . -}}
{{- $found = append $found (printf "httpRoute.hostnames has %s: a host is a DNS name and not an address; set a name." .) -}}
{{- end -}}
{{- end -}}
{{- range .Values.ingress.hosts -}}
{{- if regexMatch "^[0-9]+([.][0-9]+){3}$" .host -}}
{{- $found = append $found (printf "ingress.hosts has %s: a host is a DNS name and not an address; set a name." .host) -}}
{{- end -}}
{{- range .paths -}}
{{- $path := .path -}}
{{- with include "service.pathMistake" $path -}}
{{- $found = append $found (printf "ingress.hosts has the path %s: %s" $path .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $url := dict "auth.jwksUrl" .Values.auth.jwksUrl "tracing.endpoint" .Values.tracing.endpoint -}}
{{- if $url -}}
{{- $port := include "service.portOf" $url | int64 -}}
{{- if or (lt $port 1) (gt $port 65535) -}}
{{- $found = append $found (printf "%s is %s: a port is 1 to 65535; correct it." $name $url) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The rule that a path breaks, with the way out; empty if Ingress and HTTPRoute both take it. */}}
{{- define "service.pathMistake" -}}
{{- if not (regexMatch "^/([-A-Za-z0-9._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$" .) -}}
a path has only characters that a URL may have there; leave the others out, or write them as % and two hexadecimal digits.
{{- else if or (regexMatch "//|/[.]{1,2}/|/[.]{1,2}$" .) (contains "%2f" (lower .)) -}}
a path has no empty step, no step . or .. and no %2F, as clients and proxies resolve them; leave them out.
{{- end -}}
{{- end -}}

{{/* Names in the lists of a pod. */}}
{{- define "service.podMistakes" -}}
{{- $found := list -}}
{{- $names := list -}}
{{- range concat .Values.initContainers .Values.sidecars -}}
{{- if has .name $names -}}
{{- $found = append $found (printf "initContainers and sidecars have the name %s twice: a pod's containers have different names; rename one." .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- $volumes := list -}}
{{- range .Values.extraVolumes -}}
{{- if has .name $volumes -}}
{{- $found = append $found (printf "extraVolumes has the name %s twice: a pod's volumes have different names; rename one." .name) -}}
{{- end -}}
{{- $volumes = append $volumes .name -}}
{{- end -}}
{{- $known := concat $volumes (list "tmp" (ternary "database-ca" "tmp" (not (empty .Values.database.caSecret)))) -}}
{{- $places := list -}}
{{- range .Values.extraVolumeMounts -}}
{{- if not (has .name $known) -}}
{{- $found = append $found (printf "extraVolumeMounts names the volume %s, which is not in extraVolumes: add it there, or correct the name." .name) -}}
{{- end -}}
{{- if has .mountPath $places -}}
{{- $found = append $found (printf "extraVolumeMounts has the mountPath %s twice: leave one out." .mountPath) -}}
{{- end -}}
{{- $places = append $places .mountPath -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if and .value .valueFrom -}}
{{- $found = append $found (printf "extraEnv sets %s by value and by valueFrom: leave one out." .name) -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}
