// Command daprd is Dapr's own sidecar, with the components that Holdfast uses and no others.
//
// The official program links drivers for some eighty services; compiling those takes longer than all the
// rest. What is here is registered under the same names as there (dapr's cmd/daprd/components).
package main

import (
	"github.com/dapr/components-contrib/nameresolution/kubernetes"
	"github.com/dapr/components-contrib/nameresolution/mdns"
	kubernetessecrets "github.com/dapr/components-contrib/secretstores/kubernetes"
	postgresql "github.com/dapr/components-contrib/state/postgresql/v2"
	"github.com/dapr/dapr/cmd/daprd/app"
	"github.com/dapr/dapr/pkg/components"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
)

func main() {
	nameresolution.DefaultRegistry.RegisterComponent(mdns.NewResolver, "mdns")
	nameresolution.DefaultRegistry.RegisterComponent(kubernetes.NewResolver, "kubernetes")
	secretstores.DefaultRegistry.RegisterComponent(kubernetessecrets.NewKubernetesSecretStore, "kubernetes")
	state.DefaultRegistry.RegisterComponentWithVersions("postgresql", components.Versioning{
		Preferred: components.VersionConstructor{
			Version: "v2", Constructor: postgresql.NewPostgreSQLStateStore,
		},
		Default: "v2",
	})
	app.Run()
}
