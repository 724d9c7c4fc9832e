{{/* Values that cannot work are refused here, each with a sentence that says what to do. */}}
{{- define "setpoint.validate" -}}
{{- $v := .Values -}}
{{- $le := $v.leaderElection -}}
{{- if and (gt (int $v.replicaCount) 1) (not $le.enabled) -}}
{{- fail (printf "replicaCount is %d, but without leaderElection.enabled every replica would write: set leaderElection.enabled=true or replicaCount=1" (int $v.replicaCount)) -}}
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
{{- if dig "memory" "file" "" $v.config -}}
{{- fail "config.memory.file and leaderElection.enabled are both set: with leader election the memory is kept in a ConfigMap, drop config.memory.file" -}}
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
{{- if and $v.serviceMonitor.enabled (not $v.service.enabled) -}}
{{- fail "serviceMonitor.enabled needs the service: set service.enabled=true" -}}
{{- end -}}
{{- range $t := ($v.config.targets | default list) -}}
{{- $mode := $t.mode | default (dig "defaults" "mode" "observe" $v.config) -}}
{{- if and (ne $mode "observe") (not (dig "aws" "account_id" "" $v.config)) -}}
{{- fail (printf "the target %s/%s has mode %s, but config.aws.account_id is not set: nothing is ever written without it" $t.endpoint $t.variant $mode) -}}
{{- end -}}
{{- end -}}
{{- end -}}
