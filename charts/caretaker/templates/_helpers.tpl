{{- define "caretaker.name" -}}
{{- if contains "caretaker" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "caretaker-%s" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "caretaker.selector" -}}
app.kubernetes.io/name: caretaker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "caretaker.labels" -}}
{{ include "caretaker.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "caretaker.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "caretaker.name" . }}
{{- end }}

{{- define "caretaker.localStore" -}}
{{- if hasPrefix "file://" .Values.store.url }}yes{{ end -}}
{{- end }}
