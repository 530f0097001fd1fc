package affinity

import "net/http"

// The headers that presets name and vendors have rules for, in their canonical form.
const (
	AgentCoreHeader = "X-Amzn-Bedrock-Agentcore-Runtime-Session-Id"
	A2AHeader       = "X-A2a-Context-Id"
)

// MaxAgentCoreID is the length in bytes of the longest session ID in a header of AgentCore's, by its API reference.
const MaxAgentCoreID = 256

// newHeaderRule returns the rule of a header by its name. AgentCore's has the vendor's IDs wherever it is named, for its
// SDKs send them and take no others.
func newHeaderRule(name string) headerRule {
	h := headerRule{name: http.CanonicalHeaderKey(name), max: MaxIDLength}
	if h.name == AgentCoreHeader {
		h.max, h.long = MaxAgentCoreID, true
	}
	return h
}
