// Command registry is the Distribution project's image registry with its file system driver only.
//
// The official program also links the clients of four clouds. Which drivers it has is decided by
// what is imported, as in the project's own cmd/registry.
package main

import (
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"

	"github.com/distribution/distribution/v3/registry"
)

func main() {
	if err := registry.RootCmd.Execute(); err != nil {
		panic(err)
	}
}
