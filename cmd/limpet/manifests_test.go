package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/limpet-proxy/limpet/configs"
)

// manifests are the files of configs/kubernetes, by kind and name.
type manifests struct {
	t   *testing.T
	all map[string][]byte
}

func readManifests(t *testing.T) manifests {
	t.Helper()
	m := manifests{t, map[string][]byte{}}
	files, err := filepath.Glob(filepath.Join(root, "configs/kubernetes/*"))
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for doc := range strings.SplitSeq(string(text), "\n---\n") {
			var head struct {
				meta.TypeMeta   `json:",inline"`
				meta.ObjectMeta `json:"metadata"`
			}
			require.NoError(t, yaml.Unmarshal([]byte(doc), &head), file)
			require.Equal(t, "default", head.Namespace)
			require.NotContains(t, m.all, head.Kind+" "+head.Name)
			m.all[head.Kind+" "+head.Name] = []byte(doc)
		}
	}
	return m
}

// manifest decodes one object. A key that its type does not have, or that is there twice, is an error.
func manifest[T any](m manifests, kind, name string) (object T) {
	m.t.Helper()
	text, there := m.all[kind+" "+name]
	require.True(m.t, there, "%s %s", kind, name)
	require.NoError(m.t, yaml.UnmarshalStrict(text, &object), "%s %s", kind, name)
	delete(m.all, kind+" "+name)
	return object
}

// conf is what the ConfigMap has, as the Deployment's container sees it.
func (m manifests) conf(container core.Container, text string) (file string, c configs.Config) {
	m.t.Helper()
	dir := m.t.TempDir()
	secret := filepath.Join(dir, "operator")
	require.NoError(m.t, os.WriteFile(secret, []byte(strings.Repeat("s", 32)), 0o600))
	mounted := slices.IndexFunc(container.VolumeMounts, func(v core.VolumeMount) bool { return v.Name == "keys" })
	text = strings.Replace(text, container.VolumeMounts[mounted].MountPath+"/operator", secret, 1)
	lookup := func(name string) (string, bool) {
		i := slices.IndexFunc(container.Env, func(e core.EnvVar) bool { return e.Name == name })
		if i < 0 {
			return "", false
		}
		return container.Env[i].Value, true
	}
	loaded, err := configs.Parse("limpet.yaml", []byte(text), lookup)
	require.NoError(m.t, err)
	require.Empty(m.t, loaded.Warnings)
	file = filepath.Join(dir, "limpet.yaml")
	require.NoError(m.t, os.WriteFile(file, []byte(text), 0o600))
	return file, loaded.Config
}

func TestManifestsFitEachOther(t *testing.T) {
	m := readManifests(t)
	config := manifest[core.ConfigMap](m, "ConfigMap", "limpet")
	limpet := manifest[apps.Deployment](m, "Deployment", "limpet").Spec
	pod := limpet.Template
	container := pod.Spec.Containers[0]
	_, c := m.conf(container, config.Data["limpet.yaml"])
	require.Equal(t, []string{"redis:6379"}, c.Store.Redis.Addrs)
	require.Equal(t, []string{"serve", "-c", "/etc/limpet/limpet.yaml"}, container.Args)
	require.Equal(t, "/etc/limpet", container.VolumeMounts[0].MountPath)
	require.Equal(t, config.Name, pod.Spec.Volumes[0].ConfigMap.Name)

	leaving := c.Shutdown.Delay + c.Shutdown.Deadline + 6*time.Second
	require.Greater(t, seconds(*pod.Spec.TerminationGracePeriodSeconds), leaving)
	probe := container.ReadinessProbe
	require.Equal(t, "/readyz", probe.HTTPGet.Path)
	require.Equal(t, "/healthz", container.LivenessProbe.HTTPGet.Path)
	require.Equal(t, ":"+portNamed(container, probe.HTTPGet.Port), c.Admin)
	require.GreaterOrEqual(t, c.Shutdown.Delay, 2*seconds(int64(probe.PeriodSeconds*probe.FailureThreshold)))
	require.True(t, *pod.Spec.SecurityContext.RunAsNonRoot)

	service := manifest[core.Service](m, "Service", "limpet").Spec
	require.Equal(t, ":"+portNamed(container, service.Ports[0].TargetPort), c.Listen)
	require.Equal(t, service.Selector, pod.Labels)
	budget := manifest[policy.PodDisruptionBudget](m, "PodDisruptionBudget", "limpet").Spec
	net := manifest[networking.NetworkPolicy](m, "NetworkPolicy", "limpet").Spec
	for _, selector := range []*meta.LabelSelector{limpet.Selector, budget.Selector, &net.PodSelector} {
		require.Equal(t, pod.Labels, selector.MatchLabels)
	}
	require.Len(t, net.Ingress, 1)
	require.Equal(t, c.Listen, ":"+net.Ingress[0].Ports[0].Port.String(), "the admin port is for nobody")

	role := manifest[rbac.Role](m, "Role", "limpet")
	require.Equal(t, []rbac.PolicyRule{{
		APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"get", "list", "watch"},
	}}, role.Rules)
	account := manifest[core.ServiceAccount](m, "ServiceAccount", "limpet")
	binding := manifest[rbac.RoleBinding](m, "RoleBinding", "limpet")
	require.Equal(t, role.Name, binding.RoleRef.Name)
	require.Equal(t, rbac.Subject{Kind: "ServiceAccount", Name: account.Name, Namespace: account.Namespace}, binding.Subjects[0])
	require.Equal(t, account.Name, pod.Spec.ServiceAccountName)
	require.True(t, *pod.Spec.AutomountServiceAccountToken)

	function := c.Functions[0].Instances.Kubernetes
	require.Equal(t, role.Namespace, function.Namespace)
	m.fits(c, pod.Labels)
	require.Empty(t, m.all, "manifests that nothing was asked of")
}

// fits looks at the function's own manifests.
func (m manifests) fits(c configs.Config, limpet map[string]string) {
	t, f := m.t, c.Functions[0]
	counter := manifest[apps.Deployment](m, "Deployment", f.Instances.Kubernetes.Service).Spec
	service := manifest[core.Service](m, "Service", f.Instances.Kubernetes.Service).Spec
	net := manifest[networking.NetworkPolicy](m, "NetworkPolicy", f.Name).Spec
	container := counter.Template.Spec.Containers[0]
	require.Equal(t, counter.Template.Labels, service.Selector)
	require.Equal(t, counter.Template.Labels, counter.Selector.MatchLabels)
	require.Equal(t, counter.Template.Labels, net.PodSelector.MatchLabels)
	require.Equal(t, limpet, net.Ingress[0].From[0].PodSelector.MatchLabels)
	want := intstr.FromInt(f.Instances.Kubernetes.Port)
	require.Equal(t, want.String(), portNamed(container, service.Ports[0].TargetPort))
	require.Equal(t, want.String(), net.Ingress[0].Ports[0].Port.String())
	require.Equal(t, f.Instances.Health.Path, container.ReadinessProbe.HTTPGet.Path)
	stays := seconds(container.Lifecycle.PreStop.Sleep.Seconds)
	require.GreaterOrEqual(t, stays, f.Sessions.IdleTimeout, "a session that nobody uses ends before its Pod")
	require.Greater(t, seconds(*counter.Template.Spec.TerminationGracePeriodSeconds), stays)
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// portNamed resolves a port that may be a name.
func portNamed(c core.Container, port intstr.IntOrString) string {
	for _, p := range c.Ports {
		if p.Name == port.StrVal {
			named := intstr.FromInt32(p.ContainerPort)
			return named.String()
		}
	}
	return port.String()
}

// TestTheFunctionsContainerRuns runs the sample's command line, but for the port and the Pod's name.
func TestTheFunctionsContainerRuns(t *testing.T) {
	container := manifest[apps.Deployment](readManifests(t), "Deployment", "counter").Spec.Template.Spec.Containers[0]
	args := strings.Join(container.Args, " ")
	require.Contains(t, args, fmt.Sprintf("--listen :%d ", container.Ports[0].ContainerPort))
	require.Equal(t, "metadata.name", container.Env[0].ValueFrom.FieldRef.FieldPath)
	addr := freeAddr(t)
	args = strings.NewReplacer(":8080", addr, "$("+container.Env[0].Name+")", "counter-1").Replace(args)
	p := start(t, strings.Fields(args)...)
	p.eventually(func() error {
		_, err := good(quick, "http://"+addr+container.ReadinessProbe.HTTPGet.Path, "")
		return err
	})
}

// TestTheConfigMapPassesCheck runs the container's own command line, but for the verb.
func TestTheConfigMapPassesCheck(t *testing.T) {
	m := readManifests(t)
	config := manifest[core.ConfigMap](m, "ConfigMap", "limpet")
	container := manifest[apps.Deployment](m, "Deployment", "limpet").Spec.Template.Spec.Containers[0]
	file, _ := m.conf(container, config.Data["limpet.yaml"])
	for _, e := range container.Env {
		t.Setenv(e.Name, e.Value)
	}
	args := slices.Clone(container.Args)
	args[0], args[2] = "check", file
	p := start(t, args...)
	require.Zero(t, p.exit())
	require.Contains(t, p.stdout.String(), "service: counter")
}
