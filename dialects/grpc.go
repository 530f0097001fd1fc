package dialects

import (
	"net/http"
	"strconv"
	"strings"
)

// grpcType is the media type of gRPC, which a suffix may follow: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
const grpcType = "application/grpc"

// The header fields, or trailer fields, by which a gRPC call ends.
const (
	GRPCStatusHeader  = "Grpc-Status"
	GRPCMessageHeader = "Grpc-Message"
)

// IsGRPC says whether a Content-Type is gRPC's own. gRPC-Web is another protocol, whose clients understand HTTP's statuses.
func IsGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(contentType), grpcType)
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// The status codes of gRPC that failures are told with: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md.
const (
	grpcInvalidArgument    = 3
	grpcDeadlineExceeded   = 4
	grpcNotFound           = 5
	grpcResourceExhausted  = 8
	grpcFailedPrecondition = 9
	grpcUnimplemented      = 12
	grpcInternal           = 13
	grpcUnavailable        = 14
)

// grpcStatuses are gRPC's words for the codes. What is not here is an internal error.
//
// Where an instance was reached and failed the call may have been executed. It is unavailable all the same, as gRPC's own
// library says where a connection breaks: no client sends it again unless it was told that it may.
var grpcStatuses = map[Code]int{
	CodeInvalidArgument:     grpcInvalidArgument,
	CodeFunctionNotFound:    grpcUnimplemented,
	CodeSessionNotFound:     grpcNotFound,
	CodeSessionExpired:      grpcFailedPrecondition,
	CodeResourceExhausted:   grpcResourceExhausted,
	CodeThrottling:          grpcResourceExhausted,
	CodeNoCapacity:          grpcUnavailable,
	CodeInstanceUnavailable: grpcUnavailable,
	CodeStoreUnavailable:    grpcUnavailable,
	CodeBadGateway:          grpcUnavailable,
	CodeGatewayTimeout:      grpcDeadlineExceeded,
}

// TellGRPC says in h, a response's header or its trailer, how the call ended. Each name begins with prefix.
func TellGRPC(h http.Header, prefix string, e *Error) {
	status, ok := grpcStatuses[e.Code]
	if !ok {
		status = grpcInternal
	}
	h.Set(prefix+GRPCStatusHeader, strconv.Itoa(status))
	h.Set(prefix+GRPCMessageHeader, percentEncode(string(e.Code)+": "+e.Message))
}

// writeGRPC answers with a head and nothing else, in which gRPC's clients look for the status.
func writeGRPC(w http.ResponseWriter, e *Error) {
	h := w.Header()
	h.Set("Content-Type", grpcType)
	TellGRPC(h, "", e)
	w.WriteHeader(http.StatusOK)
}

// percentEncode makes a text one of the characters that the field may have.
func percentEncode(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '%' {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
