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
{{- end }}

{{- define "domicile.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Number, name and probe of each service's ports, and what its Service leads to. The services' own settings decide; a test compares. */}}
{{- define "domicile.ports" -}}
metadata: {ports: [{name: http, number: 9010, open: true}], health: http}
proxy: {ports: [{name: s3, number: 9000, open: true}, {name: admin, number: 9001}], health: admin}
replicator: {ports: [{name: http, number: 9020}], health: http}
discovery: {ports: [{name: http, number: 9030, open: true}], health: http}
{{- end }}
