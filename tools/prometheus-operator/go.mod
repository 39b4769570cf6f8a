// What kubeconform checks monitors and rules against: the operator's own definitions of them.
module holdfast.invalid/tools/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
