// Package dialects speaks the words of clouds and protocols: paths that name a function, names and IDs, and the shapes of errors. It
// knows no session and keeps nothing.
package dialects

import (
	"strings"

	"github.com/limpet-proxy/limpet/sessions"
)

// Dialect says in whose words a request came, and so in whose words it is answered.
type Dialect uint8

const (
	// FC is Alibaba Function Compute's, version 2023-03-30.
	FC Dialect = iota
	// AgentCore is AWS Bedrock AgentCore's, version 2024-02-28.
	AgentCore
	// Deadline is AWS Deadline Cloud's, version 2023-10-12.
	Deadline
	// Own is Limpet's, where the request came in no cloud's words: Function Compute's shape without its headers.
	Own
	// MCP is the Model Context Protocol's, JSON-RPC 2.0, where a function follows it and no cloud's path named it.
	MCP
	// GRPC is gRPC's, where the request came in no cloud's words.
	GRPC
)

// String returns the dialect's name in lower case, as logs show it.
func (d Dialect) String() string {
	switch d {
	case AgentCore:
		return "agentcore"
	case Deadline:
		return "deadline"
	case Own:
		return "limpet"
	case MCP:
		return "mcp"
	case GRPC:
		return "grpc"
	default:
		return "fc"
	}
}

// RequestIDHeader returns the canonical name of the header that has the request's ID in every answer, "" for none.
func (d Dialect) RequestIDHeader() string {
	switch d {
	case AgentCore, Deadline:
		return AWSRequestIDHeader
	case Own, MCP, GRPC:
		return ""
	default:
		return FCRequestIDHeader
	}
}

func (d Dialect) isAWS() bool { return d == AgentCore || d == Deadline }

// The first segments of the dialects' paths.
const (
	FCVersion        = "2023-03-30"
	DeadlineVersion  = "2023-10-12"
	interpretersPath = "code-interpreters"
	runtimesPath     = "runtimes"
)

// Of returns the dialect of a path, given as its segments, and whether it is any.
func Of(segments []string) (Dialect, bool) {
	if len(segments) == 0 {
		return FC, false
	}
	switch segments[0] {
	case FCVersion:
		return FC, true
	case interpretersPath, runtimesPath:
		return AgentCore, true
	case DeadlineVersion:
		return Deadline, true
	}
	return FC, false
}

// FunctionName returns the function that a path's segment names: the plain name, or the last part of an ARN
// (arn:aws:bedrock-agentcore:REGION:ACCOUNT:runtime/NAME, and likewise acs:fc:…:functions/NAME). It returns false for
// what can name no function.
func FunctionName(segment string) (string, bool) {
	name := segment
	if strings.HasPrefix(name, "arn:") || strings.HasPrefix(name, "acs:") {
		name = name[strings.LastIndexAny(name, ":/")+1:]
	}
	return name, sessions.ValidName(name)
}
