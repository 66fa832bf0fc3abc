{{/* A name that every kind of object can have: a letter first, no dot, short enough for what is appended to it. What had
to be changed for that gets a hash, so that two releases never share a name. */}}
{{- define "session-api.fullname" -}}
{{- $raw := ternary .Release.Name (printf "%s-session-api" .Release.Name) (contains "session-api" .Release.Name) -}}
{{- $name := $raw | replace "." "-" -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- $name = printf "r%s" $name -}}
{{- end -}}
{{- if or (ne $name $raw) (gt (len $name) 40) -}}
{{- $name = printf "%s-%s" (regexReplaceAll "-+$" (trunc 32 $name) "") (sha256sum $raw | trunc 7) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{/* Of every object. Takes (dict "root" $ "component" "api"). */}}
{{- define "session-api.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 }}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Of pods, and what selects them: keys of this chart's own. app.kubernetes.io/instance is not among them, since a
Service of another chart in the same release may select by it. */}}
{{- define "session-api.selector" -}}
session-api/release: {{ .root.Release.Name | quote }}
session-api/component: {{ .component }}
{{- end }}

{{- define "session-api.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "session-api.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ include "session-api.fullname" . }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "session-api.secret" -}}
{{ .Values.secret.existing | default (include "session-api.fullname" .) }}
{{- end }}

{{/* The migration runs before the upgrade that it belongs to; but on the first installation with a PostgreSQL of the
release's own, that has to be there first. */}}
{{- define "session-api.migrationIsHook" -}}
{{- if not (and .Release.IsInstall .Values.postgresql.enabled) -}}yes{{- end -}}
{{- end }}

{{/* What the chart's own Secret holds, checked. */}}
{{- define "session-api.secretData" -}}
{{- with .Values.secret }}
{{- if ne (toString $.Values.config.AUTH_MODE) "none" }}
API_KEY_SECRET: {{ required "secret.apiKeySecret or secret.existing must be given: --set secret.apiKeySecret=$(openssl rand -hex 32)" .apiKeySecret | quote }}
{{- end }}
{{- if $.Values.postgresql.enabled }}
POSTGRES_PASSWORD: {{ required "secret.postgresPassword or secret.existing must be given with postgresql.enabled: --set secret.postgresPassword=$(openssl rand -hex 24)" .postgresPassword | quote }}
DATABASE_PASSWORD: {{ required "secret.databasePassword or secret.existing must be given with postgresql.enabled: --set secret.databasePassword=$(openssl rand -hex 24)" .databasePassword | quote }}
{{- else }}
DATABASE_URL: {{ required "secret.databaseUrl or secret.existing must be given, or postgresql.enabled be true." .databaseUrl | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The environment of the service. Takes (dict "root" $ "secret" "name"). */}}
{{- define "session-api.env" -}}
{{- with .root }}
{{- range $name, $value := .Values.config }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- if ne (toString .Values.config.AUTH_MODE) "none" }}
- name: API_KEY_SECRET
  valueFrom: {secretKeyRef: {name: {{ $.secret }}, key: API_KEY_SECRET}}
{{- end }}
{{- if .Values.postgresql.enabled }}
- name: DATABASE_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $.secret }}, key: DATABASE_PASSWORD}}
- name: DATABASE_URL
  value: postgresql://session_api:$(DATABASE_PASSWORD)@{{ include "session-api.fullname" . }}-postgresql:5432/session_api
{{- else }}
- name: DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ $.secret }}, key: DATABASE_URL}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "session-api.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "session-api.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* As many as there may be. A minimum above the maximum is refused before Kubernetes does so, with half of the release
applied by then. */}}
{{- define "session-api.replicas" -}}
{{- with .Values.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "The autoscaling does not hold: autoscaling.minReplicas is %d, and autoscaling.maxReplicas is %d. Lower the one or raise the other." (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled | int -}}
{{- end }}

{{/* The connections that this release may open at most, while an upgrade has one pod more. Refused when they are too
many: pods beyond the limit would start, and answer 503. */}}
{{- define "session-api.connections" -}}
{{- $replicas := include "session-api.replicas" . | int -}}
{{- $workers := .Values.config.API_WORKERS | int -}}
{{- $pool := .Values.config.DATABASE_POOL_SIZE | int -}}
{{- $overflow := .Values.config.DATABASE_MAX_OVERFLOW | int -}}
{{- $reserved := .Values.database.reservedConnections | int -}}
{{- $needed := add (mul (add $replicas 1) $workers (add $pool $overflow)) $reserved -}}
{{- $limit := .Values.database.maxConnections | int -}}
{{- if gt $needed $limit -}}
{{- fail (printf "The connection budget does not hold: (%d replicas + 1 during an upgrade) x %d workers x (%d pool + %d overflow) + %d reserved = %d, and database.maxConnections is %d. Lower the replicas, config.API_WORKERS, config.DATABASE_POOL_SIZE or config.DATABASE_MAX_OVERFLOW, or raise the server's max_connections and database.maxConnections with it." $replicas $workers $pool $overflow $reserved $needed $limit) -}}
{{- end -}}
{{- $needed -}}
{{- end }}
