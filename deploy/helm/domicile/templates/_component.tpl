{{/* A file of deploy/k8s/components, which is what kustomize adds. Where links were lost on the way here, say so instead of nothing. */}}
{{- define "domicile.component" -}}
{{- .root.Files.Get (print "components/" .file) | required (print "components/" .file " is not there: the chart's folder `components` is a link to deploy/k8s/components") }}
{{- end }}
