{{/*
More of the configuration, as JSON: `arguments`, the `--config` of extraArgs, which the check repeats;
`mounts`, the extraVolumeMounts that hold any of it; `volumes`, what those mount. Other mounts stay out:
what they need may be made by the release itself, and the check runs before that.
*/}}
{{- define "setpoint.checkExtras" -}}
{{- $arguments := list -}}
{{- $places := list "/etc/setpoint/config" -}}
{{- range $own, $all := dict "true" .Values.configCheck.extraArgs "false" .Values.extraArgs -}}
{{- $next := false -}}
{{- range $argument := $all -}}
{{- $argument = toString $argument -}}
{{- $found := "" -}}
{{- if $next -}}
{{- $found = $argument -}}
{{- else if hasPrefix "--config=" $argument -}}
{{- $found = trimPrefix "--config=" $argument -}}
{{- end -}}
{{- $next = and (not $next) (eq $argument "--config") -}}
{{- if $found -}}
{{- $places = concat $places (splitList ":" $found) -}}
{{- if eq $own "false" -}}{{- $arguments = append $arguments (printf "--config=%s" $found) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $mounts := list -}}
{{- $names := list -}}
{{- range $mount := .Values.extraVolumeMounts -}}
{{- $at := printf "%s/" (trimSuffix "/" $mount.mountPath) -}}
{{- $holds := false -}}
{{- range $places -}}
{{- $place := printf "%s/" (trimSuffix "/" .) -}}
{{- if or (hasPrefix $at $place) (hasPrefix $place $at) -}}{{- $holds = true -}}{{- end -}}
{{- end -}}
{{- if $holds -}}
{{- $mounts = append $mounts $mount -}}
{{- $names = append $names $mount.name -}}
{{- end -}}
{{- end -}}
{{- $volumes := list -}}
{{- range $volume := .Values.extraVolumes -}}
{{- if has $volume.name $names -}}{{- $volumes = append $volumes $volume -}}{{- end -}}
{{- end -}}
{{- dict "arguments" $arguments "mounts" $mounts "volumes" $volumes | toJson -}}
{{- end -}}
