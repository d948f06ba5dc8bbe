{{- define "caretaker.name" -}}
{{- /* Names of Services begin with a letter and have no dot; names of releases may. */ -}}
{{- $name := .Release.Name | replace "." "-" -}}
{{- if not (hasPrefix "caretaker" $name) }}{{ $name = printf "caretaker-%s" $name }}{{ end -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "caretaker.image" -}}
{{- if contains "@" .Values.image.repository -}}
{{ .Values.image.repository }}
{{- else -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- /* Tools that follow digests set them as the tag. */ -}}
{{ .Values.image.repository }}{{ if hasPrefix "sha256:" $tag }}@{{ else }}:{{ end }}{{ $tag }}
{{- end -}}
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

{{- /* With --reuse-values a value that the release before did not know is absent: then the operator's own default holds. */ -}}
{{- define "caretaker.ask" -}}
{{ dig "ask" true (.Values.monitoring | default dict) }}
{{- end }}

{{- define "caretaker.monitoring" -}}
{{- /* Ids that are set to null are not among the values any more: what is not named is left to the cluster. */ -}}
{{- pick (.Values.monitoring | default dict) "podSecurityContext" "imagePullSecret" "images" "storageClassName" | toJson -}}
{{- end }}

{{- /* Who cleans up after a deleted client: under an identity for each controller, or under one for all (without --use-service-account-credentials). */ -}}
{{- define "caretaker.cleaners" -}}
['{{ include "caretaker.user" . }}', 'system:serviceaccount:kube-system:generic-garbage-collector', 'system:serviceaccount:kube-system:namespace-controller', 'system:kube-controller-manager']
{{- end }}

{{- /* Whether somebody belongs to the provider: who may change every client. An expression of admission policies. */ -}}
{{- define "caretaker.isProvider" -}}
authorizer.group('caretaker.dev').resource('managedclients').check('update').allowed()
{{- end }}

{{- /* A policy and its binding of one name. Takes a list: the root, the name's ending, the binding's action. */ -}}
{{- define "caretaker.binding" -}}
{{- $root := index . 0 -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ include "caretaker.name" $root }}-{{ index . 1 }}
  labels:
    {{- include "caretaker.labels" $root | nindent 4 }}
spec:
  policyName: {{ include "caretaker.name" $root }}-{{ index . 1 }}
  validationActions: ["{{ index . 2 }}"]
{{- end }}
