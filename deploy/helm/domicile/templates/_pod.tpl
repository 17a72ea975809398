{{/* What all pods have in common, so that the "restricted" Pod Security Standard admits them. */}}
{{- define "domicile.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65534
  runAsGroup: 65534
  fsGroup: 65534
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end }}

{{/* Of `root` and `service`: by digest, where there is one. */}}
{{- define "domicile.image" -}}
{{- with .root.Values.image }}
{{- $digest := get .digests $.service }}
{{- .registry }}domicile/{{ $.service }}{{ ternary (print "@" $digest) (print ":" .tag) (ne $digest "") }}
{{- end }}
{{- end }}

{{- define "domicile.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Number, name and probe of each service's ports, and what its Service leads to. The services' own settings decide; a test compares. */}}
{{- define "domicile.ports" -}}
{{- if .Values.tls.enabled }}
metadata: {ports: [{name: http, number: 9010, open: true}, {name: health, number: 9011}], health: health}
{{- else }}
metadata: {ports: [{name: http, number: 9010, open: true}], health: http}
{{- end }}
proxy: {ports: [{name: s3, number: 9000, open: true}, {name: admin, number: 9001}], health: admin}
replicator: {ports: [{name: http, number: 9020}], health: http}
discovery: {ports: [{name: http, number: 9030, open: true}], health: http}
{{- end }}

{{/* As deploy/k8s/components/tls. */}}
{{- define "domicile.tls" -}}
{{- if .Values.tls.enabled }}
DOMICILE_METADATA_URL: https://metadata:9010
METADATA_HEALTH_PORT: "9011"
TLS_CERTIFICATE: /run/tls/tls.crt
TLS_KEY: /run/tls/tls.key
TLS_CA: /run/tls/ca.crt
TLS_CLIENT_CA: /run/tls/ca.crt
TLS_CLIENT_CERTIFICATE: /run/tls/tls.crt
TLS_CLIENT_KEY: /run/tls/tls.key
{{- end }}
{{- end }}
