module holdfast.invalid/tools/helm-unittest

go 1.26.0

require github.com/helm-unittest/helm-unittest v1.1.2

// What the module's own go.mod replaces.
replace github.com/vmware-labs/yaml-jsonpath => github.com/helm-unittest/yaml-jsonpath v0.4.0
