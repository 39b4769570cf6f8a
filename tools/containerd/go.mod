module holdfast.invalid/tools/containerd

go 1.26.3

// The newest that a Go from PyPI builds: 2.3.6 and later ask for Go 1.26.8.
require github.com/containerd/containerd/v2 v2.3.5
