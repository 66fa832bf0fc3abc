{{/* Names of its own, none of which the agent's selectors match. They leave room for what Kubernetes puts behind them. */}}
{{- define "session.release" -}}
{{- $name := .Release.Name | replace "." "-" | trunc 40 | trimSuffix "-" -}}
{{- if regexMatch "^[0-9]" $name }}{{ printf "r-%s" $name }}{{ else }}{{ $name }}{{ end -}}
{{- end }}

{{- define "session.api" -}}
{{ .Values.sessionApi.fullnameOverride | default (printf "%s-session-api" (include "session.release" .)) }}
{{- end }}

{{- define "session.db" -}}
{{ .Values.sessionPostgresql.fullnameOverride | default (printf "%s-session-db" (include "session.release" .)) }}
{{- end }}

{{- define "session.secret" -}}
{{ .Values.sessionApi.existingSecret | default (include "session.api" .) }}
{{- end }}

{{- define "session.keySecret" -}}
{{ .Values.sessionApi.keySecret | default (printf "%s-session-key" (include "session.release" .)) }}
{{- end }}

{{- define "session.agentEnv" -}}
- name: SESSION_BACKEND_URL
  value: {{ .Values.sessionApi.url | default (printf "http://%s:8001" (include "session.api" .)) | quote }}
{{- if not .Values.sessionApi.url }}
# Inside the cluster, where the way to the backend is trusted.
- name: SESSION_BACKEND_ALLOW_INSECURE_KEY
  value: "1"
{{- end }}
- name: SESSION_BACKEND_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "session.keySecret" . }}
      key: SESSION_BACKEND_API_KEY
{{- end }}

{{- define "session.commonLabels" -}}
app.kubernetes.io/part-of: {{ .Chart.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "session.apiSelector" -}}
app.kubernetes.io/name: session-api
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "session.dbSelector" -}}
app.kubernetes.io/name: session-db
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "session.apiEnv" -}}
- name: ENVIRONMENT
  value: production
- name: AUTH_MODE
  value: keys
- name: API_HOST
  value: 0.0.0.0
- name: API_PORT
  value: "8001"
- name: API_KEY_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ include "session.secret" . }}
      key: API_KEY_SECRET
{{- if .Values.sessionPostgresql.enabled }}
- name: POSTGRES_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "session.secret" . }}
      key: POSTGRES_PASSWORD
- name: DATABASE_URL
  value: postgresql://$(POSTGRES_USER):$(POSTGRES_PASSWORD)@{{ include "session.db" . }}:5432/$(POSTGRES_DB)
{{- else }}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ required "sessionApi.existingSecret must name a secret with DATABASE_URL and API_KEY_SECRET" .Values.sessionApi.existingSecret }}
      key: DATABASE_URL
{{- end }}
{{- end }}

{{- define "session.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
