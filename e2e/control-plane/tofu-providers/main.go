// The providers of the tests: `aws`, `azurerm` and `google` with the arguments that the bundle's code uses, checked as the real ones check them, and imports
// that are read from nowhere or from an emulator. Which of them it is, its own file name says.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
)

// journal is the file that each step is written to, so that a test sees what was read and when.
const journal = "CARETAKER_PROVIDER_JOURNAL"

type step struct {
	Step     string `json:"step"`
	Provider string `json:"provider"`
	Account  string `json:"account"`
	Region   string `json:"region,omitempty"`
	Type     string `json:"type,omitempty"`
	ID       string `json:"id,omitempty"`
}

func (s step) write() {
	path := os.Getenv(journal)
	if path == "" {
		return
	}
	line, err := json.Marshal(s)
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(append(line, '\n')); err != nil {
		log.Fatal(err)
	}
}

func main() {
	name := filepath.Base(os.Args[0])
	for kind, made := range map[string]func() provider.Provider{"aws": newAWS, "azurerm": newAzure, "google": newGoogle} {
		if strings.HasPrefix(name, "terraform-provider-"+kind) {
			address := "registry.opentofu.org/hashicorp/" + kind
			if err := providerserver.Serve(context.Background(), made, providerserver.ServeOpts{Address: address}); err != nil {
				log.Fatal(err)
			}
			return
		}
	}
	log.Fatalf("%s is none of the providers of the tests", name)
}
