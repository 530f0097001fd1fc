package kubernetes

import (
	"errors"
	"fmt"

	discovery "k8s.io/api/discovery/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/limpet-proxy/limpet/instances"
)

const userAgent = "limpet"

// connect returns a client of the API server that cfg names.
func connect(cfg instances.KubernetesConfig) (rest.Interface, error) {
	access, err := access(cfg)
	if err != nil {
		return nil, err
	}
	return newClient(access)
}

// renew reads the service account's token or the kubeconfig again, after the API server has refused what was in it: a
// token in a file is valid for an hour, and the library would go on with the old one for up to a minute.
func (s *Source) renew() {
	client, err := connect(s.cfg.KubernetesConfig)
	if err != nil {
		s.log.Debug("no new access to the API server", "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = client
}

func (s *Source) access() rest.Interface {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// access returns where the API server is and how it is spoken to: in a Pod as its service account, unless cfg names a
// file or a context; elsewhere as kubectl does.
func access(cfg instances.KubernetesConfig) (*rest.Config, error) {
	if cfg.Kubeconfig == "" && cfg.Context == "" {
		c, err := rest.InClusterConfig()
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return nil, fmt.Errorf("kubernetes: the service account of this Pod: %w", err)
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath, rules.WarnIfAllMissing = cfg.Kubeconfig, false
	rules.Warner = func(error) {}
	c, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: cfg.Context}).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errors.New("kubernetes: this is no Pod and there is no kubeconfig, accepted is a file in kubeconfig, in $KUBECONFIG or ~/.kube/config")
	}
	if err != nil {
		return nil, fmt.Errorf("kubernetes: kubeconfig: %w", err)
	}
	return c, nil
}

// newClient returns a client that knows EndpointSlices and nothing else.
func newClient(access *rest.Config) (rest.Interface, error) {
	known, err := newScheme()
	if err != nil {
		return nil, err
	}
	c := rest.CopyConfig(access)
	c.APIPath, c.GroupVersion = "/apis", &discovery.SchemeGroupVersion
	c.ContentType, c.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	c.NegotiatedSerializer = serializer.NewCodecFactory(known).WithoutConversion()
	c.UserAgent = userAgent
	c.QPS = -1                           // the reflector has its own pauses
	c.WarningHandler = rest.NoWarnings{} // the default writes to standard error, past the log
	client, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	return client, nil
}

func newScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := discovery.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	meta.AddToGroupVersion(s, schema.GroupVersion{Version: "v1"}) // Status: what errors are made of
	return s, nil
}
