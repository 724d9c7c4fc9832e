{{/* Values that cannot work are refused here, each with a sentence that says what to do. */}}
{{- define "setpoint.validate" -}}
{{- $v := .Values -}}
{{- $le := $v.leaderElection -}}
{{- $memoryFile := dig "memory" "file" "" $v.config -}}
{{- $storePath := dig "store" "path" "" $v.config -}}
{{- if and (gt (int $v.replicaCount) 1) (not $le.enabled) -}}
{{- fail (printf "replicaCount is %d, but without leaderElection.enabled every replica would write: set leaderElection.enabled=true or replicaCount=1" (int $v.replicaCount)) -}}
{{- end -}}
{{- if hasKey $v.config "sharding" -}}
{{- fail "config.sharding is made from sharding by the chart: set sharding.enabled and sharding.shards instead" -}}
{{- end -}}
{{- if $v.sharding.enabled -}}
{{- if not $le.enabled -}}
{{- fail "sharding.enabled needs leaderElection.enabled=true: a Lease for each shard keeps two processes of one shard apart, and a ConfigMap for each is its memory" -}}
{{- end -}}
{{- if ne (int $v.replicaCount) 1 -}}
{{- fail (printf "replicaCount is %d beside sharding.enabled: each shard is one pod of a StatefulSet, leave replicaCount at 1 and set sharding.shards" (int $v.replicaCount)) -}}
{{- end -}}
{{- if not $v.existingConfigMap -}}
{{- $scopes := 0 -}}
{{- range ($v.config.accounts | default list) -}}{{- $scopes = add $scopes (len (.regions | default list)) -}}{{- end -}}
{{- if lt (int $scopes) (int $v.sharding.shards) -}}
{{- fail (printf "sharding.shards is %d, more than the %d accounts and regions in config.accounts: a shard without one has nothing to do" (int $v.sharding.shards) (int $scopes)) -}}
{{- end -}}
{{- end -}}
{{- if $v.deploymentStrategy -}}
{{- fail "deploymentStrategy is set beside sharding.enabled: a StatefulSet replaces one pod after the other, leave it empty" -}}
{{- end -}}
{{- if $v.persistence.existingClaim -}}
{{- fail (printf "persistence.existingClaim is %s beside sharding.enabled: each shard gets a claim of its own, leave it empty" $v.persistence.existingClaim) -}}
{{- end -}}
{{- range $name := list "ingress" "httpRoute" -}}
{{- if (index $v $name).enabled -}}
{{- fail (printf "%s.enabled beside sharding.enabled would show one shard or another at random: use the dashboards, or kubectl port-forward to a pod" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $v.image.tag $v.image.digest -}}
{{- fail "image.tag and image.digest are both set: give one of them, a digest already names one image" -}}
{{- end -}}
{{- if $v.existingConfigMap -}}
{{- $own := omit $v.config "aws" "defaults" "targets" -}}
{{- if or $own $v.config.aws $v.config.targets (ne (toJson $v.config.defaults) "{\"mode\":\"observe\"}") -}}
{{- fail (printf "existingConfigMap is %s, so config would be ignored: give one of them" $v.existingConfigMap) -}}
{{- end -}}
{{- end -}}
{{- if hasKey $v.config "kubernetes" -}}
{{- fail "config.kubernetes is made from leaderElection by the chart: set leaderElection.* instead" -}}
{{- end -}}
{{- if $le.enabled -}}
{{- if ge (float64 $le.renewDeadlineSeconds) (float64 $le.leaseDurationSeconds) -}}
{{- fail (printf "leaderElection.renewDeadlineSeconds is %v, not less than leaseDurationSeconds (%v): an old leader could write beside a new one" $le.renewDeadlineSeconds $le.leaseDurationSeconds) -}}
{{- end -}}
{{- if gt (mulf 2 (float64 $le.retryPeriodSeconds)) (float64 $le.renewDeadlineSeconds) -}}
{{- fail (printf "leaderElection.retryPeriodSeconds is %v, more than half of renewDeadlineSeconds (%v): one failed renewal would end the leadership" $le.retryPeriodSeconds $le.renewDeadlineSeconds) -}}
{{- end -}}
{{- if and $memoryFile (eq $le.memory "configmap") -}}
{{- fail "config.memory.file and leaderElection.enabled are both set: with leader election the memory is kept in a ConfigMap, drop config.memory.file or set leaderElection.memory=none" -}}
{{- end -}}
{{- if and $le.memoryConfigMap (eq $le.memory "none") -}}
{{- fail (printf "leaderElection.memoryConfigMap is %s, but leaderElection.memory is none, so it would be ignored: drop one of them" $le.memoryConfigMap) -}}
{{- end -}}
{{- $gap := subf (float64 $le.leaseDurationSeconds) (float64 $le.renewDeadlineSeconds) -}}
{{- $write := dig "aws" "write_timeout_seconds" 3 $v.config -}}
{{- if le $gap (float64 $write) -}}
{{- fail (printf "leaderElection.leaseDurationSeconds - renewDeadlineSeconds is %v, not more than config.aws.write_timeout_seconds (%v): a write could land under the next leader" $gap $write) -}}
{{- end -}}
{{- if eq (include "setpoint.automountToken" .) "false" -}}
{{- fail "leaderElection.enabled needs a token of the Kubernetes API: leave serviceAccount.automountServiceAccountToken at null or set it to true" -}}
{{- end -}}
{{- else -}}
{{- if eq (dig "type" "" $v.deploymentStrategy) "RollingUpdate" -}}
{{- fail "deploymentStrategy.type is RollingUpdate, which runs two processes for a while: set leaderElection.enabled=true or leave it at Recreate" -}}
{{- end -}}
{{- end -}}
{{- if and (eq (include "setpoint.events" .) "true") (eq (include "setpoint.automountToken" .) "false") -}}
{{- fail "events.enabled needs a token of the Kubernetes API: leave serviceAccount.automountServiceAccountToken at null or set it to true" -}}
{{- end -}}
{{- $port := include "setpoint.port" . -}}
{{- if or (not $port) (eq $port "0") -}}
{{- fail (printf "config.http.listen is %s: the service and the probes need a fixed port, such as 0.0.0.0:9090" (dig "http" "listen" "" $v.config)) -}}
{{- end -}}
{{- if hasPrefix "127." (dig "http" "listen" "" $v.config) -}}
{{- fail (printf "config.http.listen is %s: probes and Prometheus do not reach a loopback address, use 0.0.0.0:%s" $v.config.http.listen $port) -}}
{{- end -}}
{{- $grace := dig "reconcile" "shutdown_grace_seconds" 25 $v.config -}}
{{- if le (float64 $v.terminationGracePeriodSeconds) (float64 $grace) -}}
{{- fail (printf "terminationGracePeriodSeconds is %v, not more than config.reconcile.shutdown_grace_seconds (%v): a pass under way would be killed" $v.terminationGracePeriodSeconds $grace) -}}
{{- end -}}
{{- $pdb := $v.podDisruptionBudget -}}
{{- if and (not (kindIs "invalid" $pdb.minAvailable)) (not (kindIs "invalid" $pdb.maxUnavailable)) -}}
{{- fail "podDisruptionBudget.minAvailable and maxUnavailable are both set: Kubernetes takes one of them" -}}
{{- end -}}
{{- $places := list $v.persistence.mountPath -}}
{{- range $i, $mount := $v.extraVolumeMounts -}}
{{- if not (kindIs "string" $mount.mountPath) -}}
{{- fail (printf "extraVolumeMounts[%d].mountPath is not set: name the folder of the container that the volume is mounted at" $i) -}}
{{- end -}}
{{- $places = append $places $mount.mountPath -}}
{{- end -}}
{{- range $key, $file := dict "memory.file" $memoryFile "store.path" $storePath -}}
{{- if $file -}}
{{- $mounted := false -}}
{{- range $places -}}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" .)) $file -}}{{- $mounted = true -}}{{- end -}}
{{- end -}}
{{- if not $mounted -}}
{{- fail (printf "config.%s is %s, which is on no volume, and the container's own file system is read-only: put it below persistence.mountPath (%s), and set persistence.enabled=true to keep it when the pod goes" $key $file $v.persistence.mountPath) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $memoryFile (eq $memoryFile $storePath) -}}
{{- fail (printf "config.memory.file and config.store.path are both %s: give each a file of its own" $memoryFile) -}}
{{- end -}}
{{- if and (eq (include "setpoint.volumeOfOneNode" .) "true") (gt (int $v.replicaCount) 1) -}}
{{- fail (printf "persistence.enabled with replicaCount %d needs persistence.accessModes [ReadWriteMany]: pods on different nodes cannot share the volume" (int $v.replicaCount)) -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled $v.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled are both set: every series would be there twice, choose one of them" -}}
{{- end -}}
{{- range $name := list "ingress" "httpRoute" -}}
{{- if and (index $v $name).enabled (not $v.service.enabled) -}}
{{- fail (printf "%s.enabled needs the service: set service.enabled=true" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "ingress.enabled is set, but ingress.hosts is empty: give at least one, such as [{host: setpoint.example.com}]" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled is set, but httpRoute.parentRefs is empty: name the Gateway that it belongs to" -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled (not $v.service.enabled) -}}
{{- fail "serviceMonitor.enabled needs the service: set service.enabled=true" -}}
{{- end -}}
{{- $own := dig "aws" "account_id" "" $v.config -}}
{{- range $t := ($v.config.targets | default list) -}}
{{- $name := printf "the target %s/%s" ($t.endpoint | default "?") ($t.variant | default "*") -}}
{{- $mode := $t.mode | default (dig "defaults" "mode" "observe" $v.config) -}}
{{- if and (ne $mode "observe") (not $own) (not $v.config.accounts) -}}
{{- fail (printf "%s has mode %s, but neither config.aws.account_id nor config.accounts is set: setpoint writes only to an account that is named" $name $mode) -}}
{{- end -}}
{{- include "setpoint.validateBounds" (list (printf "%s" $name) $t.capacity) -}}
{{- end -}}
{{- include "setpoint.validateBounds" (list "config.defaults" (dig "defaults" "capacity" nil $v.config)) -}}
{{- range $key := list "schedule" "telemetry_schedule" -}}
{{- with dig "reconcile" $key "" $v.config -}}
{{- $fields := len (regexSplit " +" (trim .) -1) -}}
{{- if and (ne $fields 6) (ne $fields 7) -}}
{{- fail (printf "config.reconcile.%s is %q, which has %d fields: a schedule has six, seconds first, such as \"0 */5 * * * *\"" $key . $fields) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Fewest instances are not more than most: a list of whose capacity it is, and the capacity. */}}
{{- define "setpoint.validateBounds" -}}
{{- with index . 1 -}}
{{- if and (hasKey . "min") (hasKey . "max") -}}
{{- if gt (int .min) (int .max) -}}
{{- fail (printf "%s has capacity.min %d and capacity.max %d: min must not be more than max" (index $ 0) (int .min) (int .max)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
