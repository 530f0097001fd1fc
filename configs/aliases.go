package configs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// settleAliases takes from aliases the defaults of what only versions have, and gives them the isolation of theirs. What
// the file says is left for Validate to judge.
func (d *decoder) settleAliases(all []proxy.FunctionConfig) {
	for i := range all {
		f, at := &all[i], fmt.Sprintf("functions[%d].", i)
		if !f.IsAlias() {
			continue
		}
		if !d.given(at + "instances") {
			f.Instances = proxy.FunctionConfig{}.Instances
		}
		if !d.given(at + "requests_per_instance") {
			f.RequestsPerInstance = 0
		}
		if !d.given(at + "sessions.per_instance") {
			f.Sessions.PerInstance = 0
		}
		if v, ok := firstVersion(all, *f); ok && !d.given(at+"sessions.isolation") {
			f.Sessions.Isolation = v.Sessions.Isolation
		}
	}
}

// firstVersion returns the first of an alias's versions that exists.
func firstVersion(all []proxy.FunctionConfig, alias proxy.FunctionConfig) (proxy.FunctionConfig, bool) {
	for _, name := range alias.Weights.Versions() {
		if i := indexOf(all, alias.Name, name); i >= 0 && !all[i].IsAlias() {
			return all[i], true
		}
	}
	return proxy.FunctionConfig{}, false
}

func indexOf(all []proxy.FunctionConfig, name, qualifier string) int {
	return slices.IndexFunc(all, func(f proxy.FunctionConfig) bool { return f.Name == name && f.Qualifier == qualifier })
}

// validateAliases looks at what only the whole shows: whether the versions of each alias exist, and agree on what the
// alias can say only once.
func (c Config) validateAliases(report report) {
	for i, f := range c.Functions {
		at := under(fmt.Sprintf("functions[%d]", i), report)
		for _, version := range f.Weights.Versions() {
			if problem := c.versionProblem(f, version); problem != "" {
				at("weights."+version, problem+", accepted are "+c.versionsOf(f.Name))
				continue
			}
			v := c.Functions[indexOf(c.Functions, f.Name, version)]
			if v.Sessions.Isolation != f.Sessions.Isolation {
				at("sessions.isolation", fmt.Sprintf("is %t and that of version %s is %t, accepted is the same for an alias and all its versions",
					f.Sessions.Isolation, version, v.Sessions.Isolation))
				break
			}
		}
	}
}

func (c Config) versionProblem(alias proxy.FunctionConfig, version string) string {
	i := indexOf(c.Functions, alias.Name, version)
	switch {
	case i < 0:
		return fmt.Sprintf("%s has no version %.40s", alias.Name, version)
	case version == alias.Qualifier:
		return "is this alias itself"
	case c.Functions[i].IsAlias():
		return version + " is an alias itself"
	default:
		return ""
	}
}

// versionsOf lists the versions of a function for a message.
func (c Config) versionsOf(name string) string {
	var all []string
	for _, f := range c.Functions {
		if f.Name == name && !f.IsAlias() {
			all = append(all, f.Qualifier)
		}
	}
	if len(all) == 0 {
		return "entries of this function that have instances, and there is none"
	}
	return "the qualifiers of this function that have instances: " + strings.Join(all, ", ")
}

// warnAlias is about an alias that waits for lost homes longer than its versions' instances keep their incarnation: one that
// comes back without a start nonce is another program then, and what was waited for is gone.
func (c Config) warnAlias(f proxy.FunctionConfig, report report) {
	for _, version := range f.Weights.Versions() {
		v := c.Functions[indexOf(c.Functions, f.Name, version)]
		if f.OnInstanceLoss == sessions.LossFail && v.OnInstanceLoss != sessions.LossFail {
			report("on_instance_loss", fmt.Sprintf("is fail and that of version %s is not: an instance that comes back without a start nonce counts as another program, accepted is fail for both", version))
			return
		}
	}
}
