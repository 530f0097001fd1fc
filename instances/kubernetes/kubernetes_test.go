package kubernetes_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/kubernetes"
	"github.com/limpet-proxy/limpet/instances/kubernetes/kubetest"
	"github.com/limpet-proxy/limpet/instances/sourcetest"
)

func TestConforms(t *testing.T) {
	for kind, people := range map[string]func(*kubetest.Server, []string){"one slice": inOne, "a slice each": inMany} {
		t.Run(kind, func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Harness{Named: true, Open: func(tb testing.TB) sourcetest.World {
				s := kubetest.New(tb)
				return sourcetest.World{
					New:     func() instances.Source { return newSource(tb, config(s), fast()).Source },
					Silence: s.Silence,
					Set:     func(hosts ...string) { people(s, hosts) },
				}
			}})
		})
	}
}

func inOne(s *kubetest.Server, hosts []string) {
	var pods []kubetest.Pod
	for _, h := range hosts {
		pods = append(pods, ready("pod-"+h, h))
	}
	s.Put(kubetest.Slice("counter-1", port, pods...))
}

func inMany(s *kubetest.Server, hosts []string) {
	left := map[string]bool{}
	for _, name := range s.Names() {
		left[name] = true
	}
	for _, h := range hosts {
		if delete(left, h); !contains(s.Names(), h) {
			s.Put(kubetest.Slice(h, port, ready("pod-"+h, h)))
		}
	}
	for name := range left {
		s.Delete(name)
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func TestOnlyTheServiceCounts(t *testing.T) {
	s := kubetest.New(t)
	s.Put(kubetest.Slice("ours", port, ready("a", "10.0.0.1")))
	other := kubetest.Slice("other", port, ready("b", "10.0.0.2"))
	other.Labels["kubernetes.io/service-name"] = "other"
	s.Put(other)
	elsewhere := kubetest.Slice("elsewhere", port, ready("c", "10.0.0.3"))
	elsewhere.Namespace = "elsewhere"
	s.Put(elsewhere)
	watchAt(t, s, fast()).await(at("a", "10.0.0.1"))
}

func TestAServiceThatIsNotThereIsTold(t *testing.T) {
	s := kubetest.New(t)
	w := watchAt(t, s, fast())
	w.await()
	w.until("the log", func() bool { return w.log.count("the Service has no EndpointSlice") == 1 })
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
	w.await(at("a", "10.0.0.1"))
	require.Equal(t, 1, w.log.count("level=WARN"))
}

func TestWhereTheAPIServerIs(t *testing.T) {
	s := kubetest.New(t)
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
	file := s.Kubeconfig()
	cfg := config(s)
	cfg.Kubeconfig = ""
	t.Setenv("KUBERNETES_SERVICE_HOST", "")

	t.Run("KUBECONFIG", func(t *testing.T) {
		t.Setenv("KUBECONFIG", file)
		newSource(t, cfg, fast()).run().await(at("a", "10.0.0.1"))
	})
	t.Run("home", func(t *testing.T) {
		atHome(t, file)
		newSource(t, cfg, fast()).run().await(at("a", "10.0.0.1"))
	})
	t.Run("nowhere", func(t *testing.T) {
		atHome(t, filepath.Join(t.TempDir(), "none"))
		_, err := kubernetes.New(kubernetes.Config{KubernetesConfig: cfg})
		require.ErrorContains(t, err, "this is no Pod and there is no kubeconfig, accepted is")
	})
	t.Run("a file that is not there", func(t *testing.T) {
		cfg := cfg
		cfg.Kubeconfig = filepath.Join(t.TempDir(), "none")
		_, err := kubernetes.New(kubernetes.Config{KubernetesConfig: cfg})
		require.ErrorContains(t, err, cfg.Kubeconfig)
	})
	t.Run("a file that is something else", func(t *testing.T) {
		cfg := cfg
		cfg.Kubeconfig = filepath.Join(t.TempDir(), "bad")
		require.NoError(t, os.WriteFile(cfg.Kubeconfig, []byte("functions: ["), 0o600))
		_, err := kubernetes.New(kubernetes.Config{KubernetesConfig: cfg})
		require.ErrorContains(t, err, "kubeconfig")
	})
	t.Run("a context", func(t *testing.T) {
		t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1") // in a Pod a context, too, asks for a kubeconfig
		t.Setenv("KUBERNETES_SERVICE_PORT", "443")
		t.Setenv("KUBECONFIG", file)
		cfg := cfg
		cfg.Context = "here"
		newSource(t, cfg, fast()).run().await(at("a", "10.0.0.1"))
		cfg.Context = "there"
		_, err := kubernetes.New(kubernetes.Config{KubernetesConfig: cfg})
		require.ErrorContains(t, err, "there")
	})
}

// atHome makes file what stands for ~/.kube/config: the library reads HOME when the process starts.
func atHome(t *testing.T, file string) {
	t.Helper()
	t.Setenv("KUBECONFIG", "")
	before := clientcmd.RecommendedHomeFile
	clientcmd.RecommendedHomeFile = file
	t.Cleanup(func() { clientcmd.RecommendedHomeFile = before })
}

func ExampleNew() {
	cfg := kubernetes.Config{KubernetesConfig: instances.DefaultKubernetesConfig()}
	cfg.Service, cfg.Port, cfg.Kubeconfig = "counter", 8080, "testdata/kubeconfig"
	source, err := kubernetes.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	places, known := source.Places()
	fmt.Println(len(places), known)
	// Output: 0 false
}
