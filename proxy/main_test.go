package proxy_test

import (
	"flag"
	"os"
	"testing"
)

// parallel is how many of the parallel tests run at once: they wait for time to pass.
const parallel = "16"

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", parallel)
	os.Exit(m.Run())
}
