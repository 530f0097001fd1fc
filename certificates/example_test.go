package certificates_test

import (
	"fmt"

	"github.com/limpet-proxy/limpet/certificates"
)

func ExampleNew() {
	cfg := certificates.DefaultConfig()
	cfg.Certificates = []certificates.Pair{{CertFile: "missing.crt", KeyFile: "missing.key"}}
	_, err := certificates.New(cfg)
	fmt.Println(err)
	// Output:
	// missing.crt cannot be read: no such file or directory, accepted is a file with a certificate in PEM, the intermediate ones after it
}
