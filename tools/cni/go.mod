module holdfast.invalid/tools/cni

go 1.26.0

require github.com/containernetworking/plugins v1.7.1
