{{/* Mistakes that a schema cannot detect, all in one message: the value, its rule, how to fix it. */}}
{{- define "service.validate" -}}
{{- $found := list -}}
{{- $modes := list "external" "cnpg" "evaluation" -}}
{{- if not (has .Values.database.mode $modes) -}}
{{- $found = append $found "database.mode is not set: choose external (your own PostgreSQL, with its address in the Secret database.existingSecret), cnpg (a CloudNativePG Cluster that this chart creates) or evaluation (a small PostgreSQL for trials)." -}}
{{- end -}}
{{- if and (eq .Values.database.mode "external") (not .Values.database.existingSecret) -}}
{{- $found = append $found "database.existingSecret is not set: database.mode external reads the address from a Secret; create one with the key DATABASE_URL and set its name here." -}}
{{- end -}}
{{- if and (eq .Values.database.mode "evaluation") (not .Values.evaluation.password) -}}
{{- $found = append $found "evaluation.password is not set: choose 8 or more letters and digits, for example with --set evaluation.password=…" -}}
{{- end -}}
{{- if and (eq .Values.database.mode "evaluation") (not .Values.podSecurity.setIds) -}}
{{- $found = append $found "podSecurity.setIds is false but database.mode is evaluation: the PostgreSQL for trials runs as user 70 only; choose another mode, or turn podSecurity.setIds on and let the service account default use an SCC such as nonroot-v2." -}}
{{- end -}}
{{- if and .Values.databaseReplica.enabled (eq .Values.database.mode "evaluation") -}}
{{- $found = append $found "databaseReplica.enabled is true but database.mode is evaluation: the PostgreSQL for trials has no standby; turn databaseReplica.enabled off, or choose another mode." -}}
{{- end -}}
{{- if and .Values.databaseReplica.enabled (eq .Values.database.mode "cnpg") (lt (int .Values.cnpg.instances) 2) -}}
{{- $found = append $found (printf "databaseReplica.enabled is true but cnpg.instances is %d: the Cluster has no standby; set cnpg.instances to 2 or more, or turn databaseReplica.enabled off." (int .Values.cnpg.instances)) -}}
{{- end -}}
{{- $name := include "service.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- $found = append $found (printf "%s cannot be the name of a Service: a name begins with a letter and contains lower-case letters, digits and hyphens; choose another release name, or set fullnameOverride." $name) -}}
{{- end -}}
{{- $former := include "service.formerFullname" . -}}
{{- if and (has .Values.database.mode (list "cnpg" "evaluation")) (not .Values.fullnameOverride) (ne $name $former) -}}
{{- $found = append $found (printf "fullnameOverride is not set: since version 0.4 the chart names this service %s, before it was %s, and a database of another name would begin empty. Set fullnameOverride to %s if this release has a database of an earlier chart, or else to %s." $name $former $former $name) -}}
{{- end -}}
{{- if not (or .Chart.IsRoot .Values.fullnameOverride) -}}
{{- range list "database" "internal" "migration" "test" -}}
{{- if hasSuffix (printf "-%s" .) $name -}}
{{- $found = append $found (printf "%s ends with -%s, which is how the chart names an object of the service %s: choose another alias, or set fullnameOverride to a name that no other service of the parent chart has with such an ending." $name . (trimSuffix (printf "-%s" .) $name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $settings := merge (dict "DATABASE_URL" "database" "DATABASE_REPLICA_URL" "databaseReplica" "PORT" "" "INTERNAL_PORT" "") (include "service.settings" . | fromYaml) -}}
{{- $names := list -}}
{{- range .Values.extraEnv -}}
{{- if or (hasKey $settings .name) (hasKey (include "service.variables" $ | fromYaml) .name) -}}
{{- $found = append $found (printf "extraEnv sets %s, which the chart sets%s." .name (get $settings .name | empty | ternary " itself: leave it out" (printf " from its own values: set %s instead" (get $settings .name)))) -}}
{{- end -}}
{{- if has .name $names -}}
{{- $found = append $found (printf "extraEnv sets %s twice: leave one out." .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- /* A timeout has to be longer than the sum of the timeouts inside it; otherwise the service does not start. */ -}}
{{- range $longer, $inner := dict
  "databaseStatementTimeoutSeconds" (list (list "databaseLockTimeoutSeconds"))
  "databaseCommandTimeoutSeconds" (list (list "databaseStatementTimeoutSeconds"))
  "requestTimeoutSeconds" (list (list "databaseAcquireTimeoutSeconds" "databaseConnectTimeoutSeconds" "databaseCommandTimeoutSeconds") (list "bodyTimeoutSeconds")) -}}
{{- range $inner -}}
{{- $sum := 0.0 -}}
{{- range . -}}{{- $sum = addf $sum (float64 (index $.Values.config .)) -}}{{- end -}}
{{- if le (float64 (index $.Values.config $longer)) $sum -}}
{{- $found = append $found (printf "config.%s (%v) is not longer than config.%s (%v): raise it, or lower the other." $longer (index $.Values.config $longer) (join " + config." .) $sum) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.migrations -}}
{{- if and .connectTimeoutSeconds (ge (float64 .connectTimeoutSeconds) (float64 .timeoutSeconds)) -}}
{{- $found = append $found (printf "migrations.connectTimeoutSeconds (%v) is not shorter than migrations.timeoutSeconds (%v), the deadline of the Job: lower the first or raise the second." .connectTimeoutSeconds .timeoutSeconds) -}}
{{- end -}}
{{- end -}}
{{- if and (include "service.migrationHook" .) .Values.serviceAccount.create (eq .Values.migrations.serviceAccountName (include "service.serviceAccountName" .)) -}}
{{- $found = append $found (printf "migrations.serviceAccountName is %s, which this release creates: the Job is a hook and runs before it; turn migrations.hook off, or create a service account before the release and name that one." .Values.migrations.serviceAccountName) -}}
{{- end -}}
{{- with .Values.auth -}}
{{- if not (or (and .issuer .audience .jwksUrl) (not (or .issuer .audience .jwksUrl))) -}}
{{- $found = append $found "auth.issuer, auth.audience and auth.jwksUrl are not all set: without one of them no token can be accepted; set all three, or none for an open API." -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "verify-" .Values.database.sslMode) (not (or .Values.database.caSecret (has "PGSSLROOTCERT" $names))) -}}
{{- $found = append $found (printf "database.sslMode is %s but database.caSecret is empty: name the Secret that contains the CA certificates under ca.crt, or set PGSSLROOTCERT in extraEnv." .Values.database.sslMode) -}}
{{- end -}}
{{- if not .Values.image.repository -}}
{{- $found = append $found "image.repository is not set: name the service's image, such as ghcr.io/example-team/items-service." -}}
{{- end -}}
{{- if not (or .Values.image.tag .Values.image.digest) -}}
{{- $found = append $found "image.tag is not set: name the version to run, for example with --set-string image.tag=1.0.0, or an image.digest." -}}
{{- end -}}
{{- if and (eq .Values.image.tag "latest") (not .Values.image.digest) -}}
{{- $found = append $found "image.tag is latest: it does not identify a version to roll back to; set a version." -}}
{{- end -}}
{{- if and (eq .Values.database.mode "evaluation") (regexMatch "(^[^@:]*|/[^@:/]*|:latest)$" .Values.evaluation.image) -}}
{{- $found = append $found (printf "evaluation.image is %s: without a version a new PostgreSQL could start on the old data; set one." .Values.evaluation.image) -}}
{{- end -}}
{{- if and .Values.gunicorn.enabled (not .Values.gunicorn.available) -}}
{{- $found = append $found "gunicorn.enabled is true but gunicorn.available is false: this service was made without Gunicorn; generate it again with the answer gunicorn=yes, or turn gunicorn.enabled off." -}}
{{- end -}}
{{- $ingressHosts := list -}}
{{- range (include "service.ingressHosts" . | fromYaml).hosts -}}{{- $ingressHosts = append $ingressHosts .host -}}{{- end -}}
{{- $routeHosts := compact (prepend .Values.httpRoute.hostnames .Values.httpRoute.host) -}}
{{- if and .Values.ingress.enabled (not $ingressHosts) -}}
{{- $found = append $found "ingress.host is not set: an Ingress without a host serves every host of the cluster; set it, or turn ingress.enabled off." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.tlsSecretName) (not .Values.ingress.tls) (or (hasKey .Values.ingress.annotations "cert-manager.io/issuer") (hasKey .Values.ingress.annotations "cert-manager.io/cluster-issuer")) -}}
{{- $found = append $found "ingress.tlsSecretName is not set but ingress.annotations ask cert-manager for a certificate: name the Secret that cert-manager creates, or remove the annotation." -}}
{{- end -}}
{{- if and .Values.ingress.enabled .Values.ingress.tlsSecretName (not .Values.ingress.host) $ingressHosts -}}
{{- $found = append $found "ingress.tlsSecretName is the certificate of ingress.host, which is not set: set it, or name the certificate in ingress.tls." -}}
{{- end -}}
{{- if and .Values.ingress.enabled .Values.httpRoute.enabled -}}
{{- range $host := $ingressHosts -}}
{{- if has $host $routeHosts -}}
{{- $found = append $found (printf "ingress.host and httpRoute.host are both %s: it is undefined which of them serves the host; turn one of them off, or give it another host." $host) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- $found = append $found "httpRoute.parentRefs is empty: an HTTPRoute without a Gateway is not reachable; name one, or turn httpRoute.enabled off." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not $routeHosts) -}}
{{- $found = append $found "httpRoute.host is not set: a route without a host serves every host of its Gateway; set it, or turn httpRoute.enabled off." -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- $found = append $found (printf "autoscaling.minReplicas (%d) is above autoscaling.maxReplicas (%d): lower the first or raise the second." (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- with .Values.autoscaling -}}
{{- if not (or .targetCPUUtilizationPercentage .targetMemoryUtilizationPercentage .metrics (and $.Values.keda.enabled $.Values.keda.triggers)) -}}
{{- $found = append $found "autoscaling.enabled is true but autoscaling.targetCPUUtilizationPercentage, autoscaling.targetMemoryUtilizationPercentage and autoscaling.metrics are empty: there is nothing to scale by; set one of them, or turn autoscaling.enabled off." -}}
{{- end -}}
{{- if and .targetMemoryUtilizationPercentage (not (dig "requests" "memory" "" $.Values.resources)) -}}
{{- $found = append $found "resources.requests.memory is not set: autoscaling.targetMemoryUtilizationPercentage is measured against it; set it, or leave the target empty." -}}
{{- end -}}
{{- if and $.Values.keda.enabled .metrics -}}
{{- $found = append $found "autoscaling.metrics is set but keda.enabled is true: a ScaledObject has triggers in place of metrics; move them to keda.triggers." -}}
{{- end -}}
{{- end -}}
{{- if not .Values.autoscaling.targetCPUUtilizationPercentage -}}
{{- else if not (dig "requests" "cpu" "" .Values.resources) -}}
{{- $found = append $found "resources.requests.cpu is not set: autoscaling measures against it; set it, or turn autoscaling.enabled off." -}}
{{- else -}}
{{- $request := toString .Values.resources.requests.cpu -}}
{{- $cores := include "service.quantity" .Values.resources.requests.cpu | float64 -}}
{{- $workers := include "service.workers" . -}}
{{- if gt (divf (mulf $cores .Values.autoscaling.targetCPUUtilizationPercentage) 100) (float64 $workers) -}}
{{- $found = append $found (printf "autoscaling.targetCPUUtilizationPercentage (%v) of resources.requests.cpu (%s) is more than the CPU of %s process(es), one core each: no pod can reach the target; lower one of the two." .Values.autoscaling.targetCPUUtilizationPercentage $request $workers) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.service -}}
{{- if and (ne .type "LoadBalancer") (or .loadBalancerClass .loadBalancerSourceRanges) -}}
{{- $found = append $found (printf "service.loadBalancerClass or service.loadBalancerSourceRanges is set but service.type is %s: set it to LoadBalancer, or leave both out." .type) -}}
{{- end -}}
{{- if and (eq .type "ClusterIP") .externalTrafficPolicy -}}
{{- $found = append $found "service.externalTrafficPolicy is set but service.type is ClusterIP: nothing comes from outside the cluster; leave it out, or set another type." -}}
{{- end -}}
{{- if and (gt (len .ipFamilies) 1) (not (has .ipFamilyPolicy (list "PreferDualStack" "RequireDualStack"))) -}}
{{- $found = append $found "service.ipFamilies has two families but service.ipFamilyPolicy is not PreferDualStack or RequireDualStack: set one of these, or leave one family." -}}
{{- end -}}
{{- if and (or (has "IPv6" .ipFamilies) (eq .ipFamilyPolicy "RequireDualStack")) (not (contains ":" $.Values.config.host)) (not (has "HOST" $names)) -}}
{{- $found = append $found "service.ipFamilies or service.ipFamilyPolicy asks for IPv6 but the pods listen on IPv4 only: set config.host to \"::\"." -}}
{{- end -}}
{{- end -}}
{{- with .Values.serviceMonitor -}}
{{- if gt (float64 (include "service.durationSeconds" .scrapeTimeout)) (float64 (include "service.durationSeconds" .interval)) -}}
{{- $found = append $found (printf "serviceMonitor.scrapeTimeout (%s) is longer than serviceMonitor.interval (%s), which Prometheus refuses: lower the first or raise the second." .scrapeTimeout .interval) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.keda.enabled (not .Values.autoscaling.enabled) -}}
{{- $found = append $found "keda.enabled is true but autoscaling.enabled is false: the ScaledObject has the numbers of pods in autoscaling; turn autoscaling.enabled on, or keda.enabled off." -}}
{{- end -}}
{{- if ge (int64 .Values.minReadySeconds) (int64 .Values.progressDeadlineSeconds) -}}
{{- $found = append $found (printf "progressDeadlineSeconds (%v) is not longer than minReadySeconds (%v): raise it, or lower the other." .Values.progressDeadlineSeconds .Values.minReadySeconds) -}}
{{- end -}}
{{- if eq .Values.strategy.type "RollingUpdate" -}}
{{- $surge := dig "rollingUpdate" "maxSurge" 1 .Values.strategy -}}
{{- if and (has (toString $surge) (list "0" "0%")) (has (dig "rollingUpdate" "maxUnavailable" 0 .Values.strategy | toString) (list "0" "0%")) -}}
{{- $found = append $found "strategy.rollingUpdate has neither a maxSurge nor a maxUnavailable: no update could begin; raise one of them." -}}
{{- end -}}
{{- $most := max 1 (include "service.minReplicas" .) -}}
{{- if gt (int64 (include "service.ofPods" (dict "value" $surge "pods" $most))) $most -}}
{{- $found = append $found (printf "strategy.rollingUpdate.maxSurge (%v) is above the %d pods: the connections of the database are counted for twice the pods; lower it." $surge $most) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.prometheusRule.enabled (not .Values.serviceMonitor.enabled) -}}
{{- $found = append $found "prometheusRule.enabled is true but serviceMonitor.enabled is false: the alerts need the metrics that a ServiceMonitor collects; turn serviceMonitor.enabled on, or prometheusRule.enabled off." -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled .Values.serviceMonitor.enabled (not .Values.networkPolicy.internalFrom) -}}
{{- $found = append $found "networkPolicy.internalFrom is empty: Prometheus cannot reach the metrics; add its namespace as a peer." -}}
{{- end -}}
{{- $pods := int (include "service.minReplicas" .) -}}
{{- if and .Values.podDisruptionBudget.enabled (gt $pods 1) -}}
{{- $least := .Values.podDisruptionBudget.minAvailable -}}
{{- $most := int (include "service.ofPods" (dict "value" .Values.podDisruptionBudget.maxUnavailable "pods" $pods)) -}}
{{- if $least -}}
{{- if ge (int (include "service.ofPods" (dict "value" $least "pods" $pods))) $pods -}}
{{- $found = append $found (printf "podDisruptionBudget.minAvailable (%v) is all of the %d pods: no pod can be evicted, so a node drain never ends; lower it, or turn podDisruptionBudget.enabled off." $least $pods) -}}
{{- end -}}
{{- else if eq $most 0 -}}
{{- $found = append $found "podDisruptionBudget.maxUnavailable is 0: no pod can be evicted, so a node drain never ends; allow 1 or more, or turn podDisruptionBudget.enabled off." -}}
{{- else if ge $most $pods -}}
{{- $found = append $found (printf "podDisruptionBudget.maxUnavailable (%v) allows all of the %d pods to be unavailable at once: lower it, or turn podDisruptionBudget.enabled off." .Values.podDisruptionBudget.maxUnavailable $pods) -}}
{{- end -}}
{{- end -}}
{{- $replicas := int (include "service.maxReplicas" .) -}}
{{- $workers := int (include "service.workers" .) -}}
{{- $pool := int .Values.config.databasePoolSize -}}
{{- $streams := int .Values.config.databaseStreamPoolSize -}}
{{- $reserve := int .Values.database.reserveConnections -}}
{{- /* A process watches the primary over a connection of its own, to know the lag of its replica. */ -}}
{{- $watching := ternary 1 0 .Values.databaseReplica.enabled -}}
{{- $connections := add $pool $streams $watching -}}
{{- $wanted := add (mul 2 $replicas $workers $connections) $reserve -}}
{{- if gt $wanted (int64 .Values.database.maxConnections) -}}
{{- $found = append $found (printf "config.databasePoolSize (%d) and config.databaseStreamPoolSize (%d) are too large: 2 × %d pods (in an update old and new pods run at the same time) × %d workers × %d connections%s + %d in reserve = %d, and database.maxConnections is %d; lower a pool, the pods or the workers, or raise the database's limit." $pool $streams $replicas $workers $connections (ternary " (one of them for databaseReplica)" "" .Values.databaseReplica.enabled) $reserve $wanted (int .Values.database.maxConnections)) -}}
{{- end -}}
{{- $mistakes := concat
  (include "service.quantityMistakes" . | fromYamlArray)
  (include "service.keyMistakes" . | fromYamlArray)
  (include "service.addressMistakes" . | fromYamlArray)
  (include "service.routeMistakes" . | fromYamlArray)
  (include "service.objectMistakes" . | fromYamlArray)
  (include "service.podMistakes" . | fromYamlArray) -}}
{{- $found = concat $found $mistakes -}}
{{- if $found -}}
{{- fail (printf "\n\n%s\n" (join "\n" $found)) -}}
{{- end -}}
{{- end -}}
