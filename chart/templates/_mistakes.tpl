{{/* What _validate.tpl refuses in the parts of values; each template returns a list of sentences. */}}

{{/* Quantities that Kubernetes refuses, or with which no container starts. */}}
{{- define "service.quantityMistakes" -}}
{{- $found := list -}}
{{- $tables := dict "resources" .Values.resources "migrations.resources" .Values.migrations.resources "test.resources" .Values.test.resources -}}
{{- range $list := list "initContainers" "sidecars" -}}
{{- range index $.Values $list -}}{{- $_ := set $tables (printf "%s.%s.resources" $list .name) (.resources | default dict) -}}{{- end -}}
{{- end -}}
{{- range $path, $resources := $tables -}}
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
{{- /* Kubernetes neither shares nor overcommits devices and huge pages. */ -}}
{{- range $name, $value := merge (dict) ($resources.requests | default dict) ($resources.limits | default dict) -}}
{{- if or (contains "/" $name) (hasPrefix "hugepages-" $name) -}}
{{- $limit := include "service.quantity" (index ($resources.limits | default dict) $name | default "0") | float64 -}}
{{- $unit := regexFind "[0-9]+[KMGT]i$" (ternary $name "" (hasPrefix "hugepages-" $name)) | default "1" -}}
{{- $count := divf $limit (include "service.quantity" $unit | float64) -}}
{{- if or (ne $limit (include "service.quantity" $value | float64)) (ne $count (floor $count)) -}}
{{- $found = append $found (printf "%s.limits.%s is not a whole number%s that equals %s.requests.%s: such a resource is given whole or not at all; set the limit, and leave the request out." $path $name (ternary "" (printf " of %s" $unit) (eq $unit "1")) $path $name) -}}
{{- end -}}
{{- if not (or (hasKey ($resources.requests | default dict) "cpu") (hasKey ($resources.limits | default dict) "cpu") (hasKey ($resources.requests | default dict) "memory") (hasKey ($resources.limits | default dict) "memory") (contains "/" $name)) -}}
{{- $found = append $found (printf "%s has %s without cpu or memory: huge pages need one of them; set it." $path $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $request := $resources.requests -}}
{{- $limit := index ($resources.limits | default dict) $name -}}
{{- if and (not (contains "/" $name)) (not (hasPrefix "hugepages-" $name)) (not (kindIs "invalid" $limit)) (gt (include "service.quantity" $request | float64) (include "service.quantity" $limit | float64)) -}}
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

{{/* Rules of Gateway API, which a schema cannot tell. */}}
{{- define "service.routeMistakes" -}}
{{- $found := list -}}
{{- with .Values.httpRoute -}}
{{- $most := include "service.durationSeconds" (.timeouts.request | default "") | float64 -}}
{{- if and $most (gt (include "service.durationSeconds" (.timeouts.backendRequest | default "") | float64) $most) -}}
{{- $found = append $found (printf "httpRoute.timeouts.backendRequest (%s) is longer than httpRoute.timeouts.request (%s), which includes it: lower the first or raise the second." .timeouts.backendRequest .timeouts.request) -}}
{{- end -}}
{{- $types := list -}}
{{- range .filters -}}
{{- if eq .type "RequestRedirect" -}}
{{- $found = append $found "httpRoute.filters has a RequestRedirect: a rule that redirects has no service behind it, and this one has; write a route that redirects into extraObjects." -}}
{{- else if and (has .type $types) (not (has .type (list "ExtensionRef" "RequestMirror"))) -}}
{{- $found = append $found (printf "httpRoute.filters has %s twice: a rule has one of them; put both into one." .type) -}}
{{- end -}}
{{- $types = append $types .type -}}
{{- end -}}
{{- $sections := dict -}}
{{- range .parentRefs -}}
{{- $parent := printf "%s/%s/%s/%s" (.group | default "gateway.networking.k8s.io") (.kind | default "Gateway") (.namespace | default $.Release.Namespace) .name -}}
{{- $section := printf "%s:%v" (.sectionName | default "") (.port | default "") -}}
{{- $others := get $sections $parent | default list -}}
{{- if and $others (or (has $section $others) (has ":" (append $others $section))) -}}
{{- $found = append $found (printf "httpRoute.parentRefs has %s twice: give each of them another sectionName or port, or leave one out." .name) -}}
{{- end -}}
{{- $_ := set $sections $parent (append $others $section) -}}
{{- end -}}
{{- end -}}
{{- range .Values.networkPolicy.extraEgress -}}
{{- range .ports -}}
{{- if and .endPort (or (kindIs "string" .port) (lt (int64 .endPort) (int64 .port))) -}}
{{- $found = append $found (printf "networkPolicy.extraEgress has the port %v with the endPort %v: a range begins with a number and does not end before it; correct one of them." .port .endPort) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* Objects of the user that are none, or that have the name of another one. */}}
{{- define "service.objectMistakes" -}}
{{- $found := list -}}
{{- $name := include "service.fullname" . -}}
{{- $taken := dict -}}
{{- range list "Deployment" "Service" "Service-internal" "Service-database" "ConfigMap-files" "ConfigMap-dashboard" "HorizontalPodAutoscaler" "ScaledObject" "Ingress" "HTTPRoute" "NetworkPolicy" "NetworkPolicy-migration" "NetworkPolicy-test" "NetworkPolicy-database" "PodDisruptionBudget" "ServiceMonitor" "PrometheusRule" "Pod-test" "Secret-database-evaluation" "StatefulSet-database" "Cluster-database" -}}
{{- $kind := regexFind "^[A-Za-z]+" . -}}
{{- $_ := set $taken (printf "%s %s%s" $kind $name (trimPrefix $kind .)) "whose name the chart uses itself: rename it." -}}
{{- end -}}
{{- if .Values.serviceAccount.create -}}
{{- $_ := set $taken (printf "ServiceAccount %s" (include "service.serviceAccountName" .)) "which the chart creates, too: turn serviceAccount.create off, or rename it." -}}
{{- end -}}
{{- range .Values.extraObjects -}}
{{- $manifests := list . -}}
{{- if kindIs "string" . -}}
{{- $manifests = list -}}
{{- range regexSplit "(?m)^---\\s*$" (tpl . $) -1 -}}
{{- if regexReplaceAll "(?m)^\\s*(#.*)?$" . "" | trim -}}{{- $manifests = append $manifests (fromYaml .) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- range $manifests -}}
{{- if not (and .apiVersion .kind (kindIs "map" .metadata)) -}}
{{- $found = append $found (printf "extraObjects has an item that is no object: it needs apiVersion, kind and metadata; correct it%s." (.Error | default "" | printf " (%s)" | trimSuffix " ()")) -}}
{{- else if eq (.metadata.namespace | default $.Release.Namespace) $.Release.Namespace -}}
{{- $key := printf "%s %v" .kind (.metadata.name | default "") -}}
{{- with get $taken $key -}}
{{- $found = append $found (printf "extraObjects has the %s, %s" $key .) -}}
{{- end -}}
{{- $_ := set $taken $key "which another item has, too: leave one out, or rename it." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
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
{{- $constraints := list -}}
{{- range .Values.topologySpreadConstraints -}}
{{- $constraint := list .topologyKey .whenUnsatisfiable -}}
{{- if has $constraint $constraints -}}
{{- $found = append $found (printf "topologySpreadConstraints has %s with %s twice: leave one out." .topologyKey .whenUnsatisfiable) -}}
{{- end -}}
{{- $constraints = append $constraints $constraint -}}
{{- if and .minDomains (ne .whenUnsatisfiable "DoNotSchedule") -}}
{{- $found = append $found (printf "topologySpreadConstraints has minDomains for %s, which needs whenUnsatisfiable: DoNotSchedule: set that, or leave minDomains out." .topologyKey) -}}
{{- end -}}
{{- end -}}
{{- $ips := list -}}
{{- range .Values.hostAliases -}}
{{- if has .ip $ips -}}
{{- $found = append $found (printf "hostAliases has the ip %s twice: put its hostnames into one entry." .ip) -}}
{{- end -}}
{{- $ips = append $ips .ip -}}
{{- end -}}
{{- $contexts := dict "securityContext" (include "service.ownSecurityContext" . | fromYaml) -}}
{{- range $list := list "initContainers" "sidecars" -}}
{{- $mountable := $known -}}
{{- if and (eq $list "sidecars") $.Values.configFiles -}}{{- $mountable = append $known "config-files" -}}{{- end -}}
{{- range index $.Values $list -}}
{{- $container := printf "%s.%s" $list .name -}}
{{- $_ := set $contexts (printf "%s.securityContext" $container) (include "service.containerContext" . | fromYaml) -}}
{{- range .volumeMounts -}}
{{- if not (has .name $mountable) -}}
{{- $found = append $found (printf "%s mounts the volume %s, which its pods do not have: add it to extraVolumes, or correct the name." $container .name) -}}
{{- end -}}
{{- end -}}
{{- $variables := list -}}
{{- range .env -}}
{{- if has .name $variables -}}
{{- $found = append $found (printf "%s sets %s twice: leave one out." $container .name) -}}
{{- end -}}
{{- $variables = append $variables .name -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $path, $context := $contexts -}}
{{- if and (eq (toString $context.allowPrivilegeEscalation) "false") (or $context.privileged (has "CAP_SYS_ADMIN" (dig "capabilities" "add" list $context | default list))) -}}
{{- $found = append $found (printf "%s asks for privileged or CAP_SYS_ADMIN, but allowPrivilegeEscalation is false, the chart's default: leave the first out, or set %s.allowPrivilegeEscalation to true." $path $path) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if and .value .valueFrom -}}
{{- $found = append $found (printf "extraEnv sets %s by value and by valueFrom: leave one out." .name) -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}
