{{/* The chart's name. */}}
{{- define "setpoint.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of every object. */}}
{{- define "setpoint.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "setpoint.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The namespace of every object. */}}
{{- define "setpoint.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Labels by which the pods are found; they never change. */}}
{{- define "setpoint.selectorLabels" -}}
app.kubernetes.io/name: {{ include "setpoint.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/*
Labels of an object: a list of the chart's context and maps of the user's. Each key is there once, and
the chart's own win: by them its objects are found.
*/}}
{{- define "setpoint.labelsWith" -}}
{{- $root := index . 0 -}}
{{- $own := include "setpoint.selectorLabels" $root | fromYaml -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $all := deepCopy ($root.Values.commonLabels | default dict) -}}
{{- range rest . -}}
{{- $all = mergeOverwrite $all (deepCopy (. | default dict)) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $all $own) -}}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "setpoint.labels" -}}
{{- include "setpoint.labelsWith" (list .) -}}
{{- end -}}

{{/* `annotations:` of an object: a list of the chart's context and maps; later maps win. */}}
{{- define "setpoint.annotations" -}}
{{- $all := deepCopy ((index . 0).Values.commonAnnotations | default dict) -}}
{{- range rest . -}}
{{- $all = mergeOverwrite $all (deepCopy (. | default dict)) -}}
{{- end -}}
{{- with $all -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The name of the service account. */}}
{{- define "setpoint.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "setpoint.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Whether the pod gets a token of the Kubernetes API: "true" or "false". */}}
{{- define "setpoint.automountToken" -}}
{{- if kindIs "bool" .Values.serviceAccount.automountServiceAccountToken -}}
{{- .Values.serviceAccount.automountServiceAccountToken -}}
{{- else -}}
{{- or .Values.leaderElection.enabled (eq (include "setpoint.events" .) "true") -}}
{{- end -}}
{{- end -}}

{{/* Whether decisions are reported as Events: "true" or "false". */}}
{{- define "setpoint.events" -}}
{{- if kindIs "bool" .Values.events.enabled -}}
{{- .Values.events.enabled -}}
{{- else -}}
{{- and .Values.rbac.create (ne (toString .Values.serviceAccount.automountServiceAccountToken) "false") -}}
{{- end -}}
{{- end -}}

{{/* Whether the Kubernetes API is used at all: "true" or "false". */}}
{{- define "setpoint.usesKubernetes" -}}
{{- or .Values.leaderElection.enabled (eq (include "setpoint.events" .) "true") -}}
{{- end -}}

{{/* The image, by tag or by digest. */}}
{{- define "setpoint.image" -}}
{{- $name := .Values.image.repository -}}
{{- with (dig "imageRegistry" "" (.Values.global | default dict)) | default .Values.image.registry -}}
{{- $name = printf "%s/%s" . $name -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* `imagePullSecrets:` of a pod, the parent chart's first; a parent may give plain names. */}}
{{- define "setpoint.imagePullSecrets" -}}
{{- $all := list -}}
{{- range concat (dig "imagePullSecrets" list (.Values.global | default dict)) (.Values.imagePullSecrets | default list) -}}
{{- $all = append $all (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- with $all | uniq -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The path that the pages are served under: config.http.base_path, or `/`. */}}
{{- define "setpoint.basePath" -}}
{{- dig "http" "base_path" "" .Values.config | trimSuffix "/" | default "/" -}}
{{- end -}}

{{/* The Secret with the HTTP token; empty when there is none. */}}
{{- define "setpoint.tokenSecret" -}}
{{- if .Values.httpToken.existingSecret -}}
{{- .Values.httpToken.existingSecret -}}
{{- else if .Values.httpToken.create -}}
{{- printf "%s-token" (include "setpoint.fullname" . | trunc 57 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* The name of the service that gives each shard a name. */}}
{{- define "setpoint.headlessName" -}}
{{- printf "%s-shards" (include "setpoint.fullname" . | trunc 56 | trimSuffix "-") -}}
{{- end -}}

{{/* What runs the pods, as an argument of kubectl. */}}
{{- define "setpoint.workload" -}}
{{- .Values.sharding.enabled | ternary "sts" "deploy" -}}/{{- include "setpoint.fullname" . -}}
{{- end -}}

{{/* A name and those that shards make of it, as a list of YAML: NAME, NAME-shard-1 ... */}}
{{- define "setpoint.namesOfShards" -}}
{{- $base := . | first -}}
{{- $names := list $base -}}
{{- if (. | last).sharding.enabled -}}
{{- range untilStep 1 (int (. | last).sharding.shards) 1 -}}
{{- $names = append $names (printf "%s-shard-%d" $base .) -}}
{{- end -}}
{{- end -}}
[{{ join ", " $names }}]
{{- end -}}

{{/* The name of the Lease. */}}
{{- define "setpoint.leaseName" -}}
{{- default (include "setpoint.fullname" .) .Values.leaderElection.leaseName -}}
{{- end -}}

{{/*
Whether the chart names a ConfigMap for what is remembered: "true" or "false". What existingConfigMap says
about memory it cannot see.
*/}}
{{- define "setpoint.memoryInConfigMap" -}}
{{- $le := .Values.leaderElection -}}
{{- and $le.enabled (eq $le.memory "configmap") (not (dig "memory" "tags" false .Values.config)) -}}
{{- end -}}

{{/* The name of the ConfigMap that remembers. */}}
{{- define "setpoint.memoryConfigMap" -}}
{{- default (printf "%s-memory" (include "setpoint.fullname" .)) .Values.leaderElection.memoryConfigMap -}}
{{- end -}}

{{/* The names of all ConfigMaps that may remember, as a list of YAML: for each shard, the name and those of 31 further parts. */}}
{{- define "setpoint.memoryConfigMaps" -}}
{{- $names := list -}}
{{- range $name := include "setpoint.namesOfShards" (list (include "setpoint.memoryConfigMap" .) .Values) | fromYamlArray -}}
{{- $names = append $names $name -}}
{{- range untilStep 1 32 1 -}}
{{- $names = append $names (printf "%s-part-%d" $name .) -}}
{{- end -}}
{{- end -}}
{{- toYaml $names -}}
{{- end -}}

{{/* The section `kubernetes` of the configuration. */}}
{{- define "setpoint.kubernetesConfig" -}}
kubernetes:
  namespace: {{ include "setpoint.namespace" . }}
  events: {{ include "setpoint.events" . }}
  {{- if .Values.leaderElection.enabled }}
  lease_name: {{ include "setpoint.leaseName" . }}
  lease_duration_seconds: {{ .Values.leaderElection.leaseDurationSeconds }}
  renew_deadline_seconds: {{ .Values.leaderElection.renewDeadlineSeconds }}
  retry_period_seconds: {{ .Values.leaderElection.retryPeriodSeconds }}
  {{- if eq (include "setpoint.memoryInConfigMap" .) "true" }}
  memory_configmap: {{ include "setpoint.memoryConfigMap" . }}
  {{- end }}
  role_label: {{ .Values.leaderElection.roleLabel }}
  {{- end }}
{{- end -}}

{{/* The file of the history, on the data volume. */}}
{{- define "setpoint.historyFile" -}}
{{- printf "%s/history.redb" (trimSuffix "/" .Values.persistence.mountPath) -}}
{{- end -}}

{{/*
Whether a variable sets the file of the history, which existingConfigMap may not name: "true" or "false". One
of extraEnv is left alone.
*/}}
{{- define "setpoint.setsHistoryFile" -}}
{{- $own := list -}}
{{- range .Values.extraEnv -}}{{- $own = append $own .name -}}{{- end -}}
{{- and (not (empty .Values.existingConfigMap)) .Values.persistence.enabled (not (has "SETPOINT__STORE__PATH" $own)) -}}
{{- end -}}

{{/* What the chart adds to the configuration; `config` wins over it. */}}
{{- define "setpoint.baseConfig" -}}
http:
  listen: 0.0.0.0:9090
  {{- if include "setpoint.tokenSecret" . }}
  token_file: /etc/setpoint/token/{{ .Values.httpToken.key }}
  {{- end }}
store:
  path: {{ include "setpoint.historyFile" . }}
log:
  level: {{ .Values.logLevel | quote }}
  format: {{ .Values.logFormat }}
{{- if .Values.sharding.enabled }}
sharding:
  total_shards: {{ .Values.sharding.shards }}
{{- end }}
{{- if eq (include "setpoint.usesKubernetes" .) "true" }}
{{ include "setpoint.kubernetesConfig" . }}
{{- end }}
{{- end -}}

{{/* The whole configuration. */}}
{{- define "setpoint.config" -}}
{{- $base := include "setpoint.baseConfig" . | fromYaml -}}
{{- toYaml (mergeOverwrite $base (deepCopy .Values.config)) -}}
{{- end -}}

{{/* The port that setpoint listens on. */}}
{{- define "setpoint.port" -}}
{{- $listen := dig "http" "listen" "0.0.0.0:9090" .Values.config -}}
{{- if .Values.existingConfigMap }}{{ $listen = "0.0.0.0:9090" }}{{ end -}}
{{- regexFind "[0-9]+$" $listen -}}
{{- end -}}

{{/* The name of the ConfigMap with the configuration. */}}
{{- define "setpoint.configMapName" -}}
{{- default (printf "%s-config" (include "setpoint.fullname" .)) .Values.existingConfigMap -}}
{{- end -}}

{{/* The pod that leads, as an argument of kubectl; any pod where none says that it does. */}}
{{- define "setpoint.leader" -}}
{{- if .Values.sharding.enabled -}}
{{ include "setpoint.fullname" . }}-0
{{- else if and .Values.leaderElection.enabled (not .Values.leaderElection.roleLabel) -}}
deploy/{{ include "setpoint.fullname" . }}
{{- else -}}
$(kubectl -n {{ include "setpoint.namespace" . }} get pod -o name -l app.kubernetes.io/instance={{ .Release.Name }},setpoint.dev/role=leader)
{{- end -}}
{{- end -}}

{{/* The modes in which something is written, as text; empty when only observe is used. */}}
{{- define "setpoint.writingModes" -}}
{{- $modes := list -}}
{{- $default := dig "mode" "observe" (.Values.config.defaults | default dict) -}}
{{- range (.Values.config.targets | default list) -}}
{{- $modes = append $modes (.mode | default $default) -}}
{{- end -}}
{{- without $modes "observe" | uniq | sortAlpha | join ", " -}}
{{- end -}}

{{/* Environment, as a list. */}}
{{- define "setpoint.env" -}}
- name: SETPOINT_CONFIG
  value: /etc/setpoint/config
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_UID
  valueFrom:
    fieldRef:
      fieldPath: metadata.uid
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- if .Values.existingConfigMap }}
{{- /* What the chart relies on holds whatever that ConfigMap says. */}}
- name: SETPOINT__HTTP__LISTEN
  value: 0.0.0.0:9090
{{- if include "setpoint.tokenSecret" . }}
- name: SETPOINT__HTTP__TOKEN_FILE
  value: /etc/setpoint/token/{{ .Values.httpToken.key }}
{{- end }}
{{- if eq (include "setpoint.setsHistoryFile" .) "true" }}
- name: SETPOINT__STORE__PATH
  value: {{ include "setpoint.historyFile" . }}
{{- end }}
- name: SETPOINT__LOG__LEVEL
  value: {{ .Values.logLevel | quote }}
- name: SETPOINT__LOG__FORMAT
  value: {{ .Values.logFormat }}
{{- if .Values.sharding.enabled }}
- name: SETPOINT__SHARDING__TOTAL_SHARDS
  value: {{ .Values.sharding.shards | toString | quote }}
{{- end }}
{{- if eq (include "setpoint.usesKubernetes" .) "true" }}
{{- range $key, $value := (include "setpoint.kubernetesConfig" . | fromYaml).kubernetes }}
- name: SETPOINT__KUBERNETES__{{ $key | upper }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The account that may be written to, in words: one, or those of `accounts`. */}}
{{- define "setpoint.accounts" -}}
{{- $all := list -}}
{{- range (.Values.config.accounts | default list) -}}
{{- $all = append $all .account_id -}}
{{- end -}}
{{- if $all -}}
accounts {{ $all | uniq | join ", " }}
{{- else -}}
account {{ dig "account_id" "" (.Values.config.aws | default dict) }}
{{- end -}}
{{- end -}}

{{/* The volumes of setpoint's container, and where they are mounted. */}}
{{- define "setpoint.volumes" -}}
- name: config
  configMap:
    name: {{ include "setpoint.configMapName" . }}
- name: data
  {{- /* Of shards each has a claim of this name, which Kubernetes takes instead of this volume. */}}
  {{- if and .Values.persistence.enabled (not .Values.sharding.enabled) }}
  persistentVolumeClaim:
    claimName: {{ include "setpoint.claimName" . }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .Values.persistence.size }}
  {{- end }}
{{- with include "setpoint.tokenSecret" . }}
- name: token
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "setpoint.volumeMounts" -}}
- name: config
  mountPath: /etc/setpoint/config
  readOnly: true
- name: data
  mountPath: {{ .Values.persistence.mountPath }}
{{- if include "setpoint.tokenSecret" . }}
- name: token
  mountPath: /etc/setpoint/token
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The claim of the data volume. */}}
{{- define "setpoint.claimName" -}}
{{- default (printf "%s-data" (include "setpoint.fullname" . | trunc 58 | trimSuffix "-")) .Values.persistence.existingClaim -}}
{{- end -}}

{{/* Whether the data volume is a claim that only one node can mount at a time: "true" or "false". */}}
{{- define "setpoint.volumeOfOneNode" -}}
{{- and .Values.persistence.enabled (not (has "ReadWriteMany" .Values.persistence.accessModes)) -}}
{{- end -}}

{{/* Topology spread constraints: what is given, else soft ones when there are several pods. */}}
{{- define "setpoint.topologySpread" -}}
{{- if .Values.topologySpreadConstraints -}}
{{- tpl (toYaml .Values.topologySpreadConstraints) . -}}
{{- else if or .Values.sharding.enabled (gt (int .Values.replicaCount) 1) -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "setpoint.selectorLabels" $ | nindent 6 }}
{{- end }}
{{- end -}}
{{- end -}}
