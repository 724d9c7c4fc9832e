{{/*
The groups of alert rules, from files/alerts.yaml and prometheusRule.alerts. Words that begin with a
dollar sign are replaced as that file says.
*/}}
{{- define "setpoint.alertGroups" -}}
{{- $root := . -}}
{{- $rule := .Values.prometheusRule -}}
{{- $variant := "namespace, job, account_id, region, endpoint, variant" -}}
{{- $by := printf "max by (%s)" $variant -}}
{{- $managed := printf "and on (%s) %s (setpoint_managed) == 1" $variant $by -}}
{{- $readable := "unless on (namespace, job, account_id, region) max by (namespace, job, account_id, region) (setpoint_scope_readable) == 0" -}}
{{- $labelsOf := `account_id=\"%s\",region=\"%s\",endpoint=\"%s\",variant=\"%s\"` -}}
{{- $args := "$labels.account_id $labels.region $labels.endpoint $labels.variant" -}}
{{- $job := default (include "setpoint.fullname" .) $rule.job -}}
{{- range $group := .Files.Get "files/alerts.yaml" | fromYamlArray }}
{{- $rules := list }}
{{- range $alert := $group.rules }}
{{- $set := index $rule.alerts $alert.alert }}
{{- if $set.enabled }}
{{- $text := dict }}
{{- range $part := list "expr" "summary" "description" }}
{{- $words := index $alert $part | replace "$labels_of" $labelsOf | replace "$args" $args | replace "$by" $by | replace "$managed" $managed | replace "$readable" $readable | replace "$variant" (printf "on (%s)" $variant) | replace "$job" $job | replace "$threshold" (toString $set.threshold) }}
{{- $_ := set $text $part $words }}
{{- end }}
{{- $labels := mergeOverwrite (deepCopy ($rule.alertLabels | default dict)) (dict "severity" $set.severity) }}
{{- $url := printf "%s/%s.md" (trimSuffix "/" $rule.runbookBaseUrl) $alert.alert }}
{{- $annotations := mergeOverwrite (deepCopy ($rule.alertAnnotations | default dict)) (dict "summary" $text.summary "description" $text.description "runbook_url" $url) }}
{{- $made := dict "alert" $alert.alert "expr" $text.expr "for" (index $set "for") "labels" $labels "annotations" $annotations }}
{{- with default $rule.keepFiringFor (index $set "keep_firing_for") }}
{{- $_ := set $made "keep_firing_for" . }}
{{- end }}
{{- $rules = append $rules $made }}
{{- end }}
{{- end }}
{{- if $rules }}
{{ toYaml (list (dict "name" $group.group "rules" $rules)) }}
{{- end }}
{{- end }}
{{- with $rule.extraGroups }}
{{ toYaml . }}
{{- end }}
{{- end -}}
