package dialects_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
)

// said is what a client of one dialect is told.
type said struct {
	status    int
	exception string
}

// words is the table of design.md, section 5, and what follows from it for the codes that it does not name: in Limpet's
// own words, which are Function Compute's, in AgentCore's, and in Deadline's.
func words() map[dialects.Code][3]said {
	const (
		validation, denied, missing = "ValidationException", "AccessDeniedException", "ResourceNotFoundException"
		conflict, quota, throttling = "ConflictException", "ServiceQuotaExceededException", "ThrottlingException"
		unknown, client             = "UnknownOperationException", "RuntimeClientError"
	)
	both := func(own, status int, exception string) [3]said {
		return [3]said{{own, ""}, {status, exception}, {status, exception}}
	}
	internal := func(own int) [3]said {
		return [3]said{{own, ""}, {500, "InternalServerException"}, {500, "InternalServerErrorException"}}
	}
	return map[dialects.Code][3]said{
		dialects.CodeInvalidArgument:      both(400, 400, validation),
		dialects.CodeInvalidAccessKeyID:   both(401, 403, denied),
		dialects.CodeSignatureNotMatch:    both(403, 403, denied),
		dialects.CodeAccessDenied:         both(403, 403, denied),
		dialects.CodeNotFound:             both(404, 404, unknown),
		dialects.CodeFunctionNotFound:     both(404, 404, missing),
		dialects.CodeSessionNotFound:      both(404, 404, missing),
		dialects.CodeMethodNotAllowed:     both(405, 405, unknown),
		dialects.CodeSessionAlreadyExists: both(409, 409, conflict),
		dialects.CodeSessionExpired:       both(410, 404, missing),
		dialects.CodeEntityTooLarge:       both(413, 400, validation),
		dialects.CodeThrottling:           both(429, 429, throttling),
		dialects.CodeResourceExhausted:    both(429, 429, throttling),
		dialects.CodeInternalError:        internal(500),
		dialects.CodeNotSupported:         both(501, 400, validation),
		dialects.CodeBadGateway:           both(502, 424, client),
		dialects.CodeGatewayTimeout:       both(504, 424, client),
		dialects.CodeNoCapacity:           both(503, 402, quota),
		dialects.CodeInstanceUnavailable:  internal(503),
		dialects.CodeStoreUnavailable:     internal(503),
		"SomethingNew":                    internal(500),
	}
}

// answer writes e and reads what came out.
func answer(t *testing.T, d dialects.Dialect, e *dialects.Error) (*http.Response, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	w.Header().Set("X-Before", "kept")
	require.NoError(t, d.Write(w, "my-request", e))
	res := w.Result()
	require.Equal(t, "kept", res.Header.Get("X-Before"))
	require.Equal(t, string(e.Code), res.Header.Get("Limpet-Error"), "in every dialect")
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	require.Equal(t, strconv.Itoa(w.Body.Len()), res.Header.Get("Content-Length"))
	require.Equal(t, d.Status(e), res.StatusCode)
	body := map[string]any{}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	return res, body
}

func TestEveryCodeInEveryDialect(t *testing.T) {
	for code, want := range words() {
		e := &dialects.Error{Code: code, Status: want[0].status, Message: `a "text" <for> the client`}
		for _, d := range []dialects.Dialect{dialects.FC, dialects.Own} {
			res, body := answer(t, d, e)
			require.Equal(t, want[0].status, res.StatusCode, code)
			require.Equal(t, map[string]any{"Code": string(code), "Message": e.Message, "RequestId": "my-request"}, body)
			require.Empty(t, res.Header["X-Amzn-Errortype"])
			require.Equal(t, d == dialects.FC, res.Header.Get("X-Fc-Request-Id") == "my-request")
			retry := res.StatusCode == 503 || res.StatusCode == 429
			require.Equal(t, retry, res.Header.Get("Retry-After") != "", "%s: Retry-After goes with 503 and 429", code)
		}
		for d, want := range map[dialects.Dialect]said{dialects.AgentCore: want[1], dialects.Deadline: want[2]} {
			res, body := answer(t, d, e)
			require.Equal(t, want, said{res.StatusCode, res.Header.Get("X-Amzn-Errortype")}, "%s in %s", code, d)
			require.Equal(t, e.Message, body["message"])
			require.Equal(t, "my-request", res.Header.Get("X-Amzn-Requestid"))
			require.Empty(t, res.Header["X-Fc-Request-Id"])
			if res.StatusCode == 429 || e.Status == 503 && res.StatusCode == 500 {
				require.Equal(t, "1", res.Header.Get("Retry-After"), code)
			} else {
				require.Empty(t, res.Header["Retry-After"], code)
			}
		}
	}
}

// An SDK tries a 5xx again by itself. After an instance was reached nobody knows what it executed.
func TestAWSIsNotAskedToRepeatWhatMayHaveBeenExecuted(t *testing.T) {
	for _, code := range []dialects.Code{dialects.CodeBadGateway, dialects.CodeGatewayTimeout} {
		e := &dialects.Error{Code: code, Status: http.StatusBadGateway}
		require.Less(t, dialects.AgentCore.Status(e), 500)
		require.NotEqual(t, http.StatusTooManyRequests, dialects.AgentCore.Status(e))
	}
}

func TestMembersOfExceptions(t *testing.T) {
	session := dialects.Resource{Type: "session", ID: "alice"}
	for name, c := range map[string]struct {
		e                   *dialects.Error
		agentcore, deadline map[string]any
	}{
		"a field": {
			dialects.Invalid("maxResults", "is 0"),
			map[string]any{"reason": "FieldValidationFailed", "fieldList": fields("maxResults", "maxResults: is 0")},
			map[string]any{"reason": "FIELD_VALIDATION_FAILED", "fieldList": fields("maxResults", "maxResults: is 0")},
		},
		"no field": {
			&dialects.Error{Code: dialects.CodeInvalidArgument, Status: 400},
			map[string]any{"reason": "FieldValidationFailed"}, map[string]any{"reason": "OTHER"},
		},
		"unparsable": {
			&dialects.Error{Code: dialects.CodeInvalidArgument, Status: 400, Reason: dialects.ReasonUnparsable},
			map[string]any{"reason": "CannotParse"}, map[string]any{"reason": "CANNOT_PARSE"},
		},
		"mismatch": {
			&dialects.Error{Code: dialects.CodeInvalidArgument, Status: 400, Reason: dialects.ReasonMismatch},
			map[string]any{"reason": "IdempotentParameterMismatchException"}, map[string]any{"reason": "OTHER"},
		},
		"not found": {
			&dialects.Error{Code: dialects.CodeSessionNotFound, Status: 404, Resource: session},
			map[string]any{"resourceType": "session", "resourceId": "alice"},
			map[string]any{"resourceType": "session", "resourceId": "alice"},
		},
		"conflict": {
			&dialects.Error{Code: dialects.CodeSessionAlreadyExists, Status: 409, Resource: session},
			map[string]any{"resourceType": "session", "resourceId": "alice"},
			map[string]any{"resourceType": "session", "resourceId": "alice", "reason": "RESOURCE_ALREADY_EXISTS"},
		},
		"quota": {
			&dialects.Error{Code: dialects.CodeNoCapacity, Status: 503, Resource: session},
			map[string]any{"resourceType": "session", "serviceCode": "limpet", "quotaCode": "per_instance"},
			map[string]any{
				"resourceType": "session", "serviceCode": "limpet", "quotaCode": "per_instance",
				"reason": "SERVICE_QUOTA_EXCEEDED_EXCEPTION",
			},
		},
		"denied": {
			&dialects.Error{Code: dialects.CodeAccessDenied, Status: 403, Resource: session, Field: "x"},
			map[string]any{}, map[string]any{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for d, want := range map[dialects.Dialect]map[string]any{dialects.AgentCore: c.agentcore, dialects.Deadline: c.deadline} {
				want["message"] = c.e.Message
				_, body := answer(t, d, c.e)
				require.Equal(t, want, body, d)
			}
		})
	}
}

func fields(name, message string) []any {
	return []any{map[string]any{"name": name, "message": message}}
}

func TestAllowAndRetryAfter(t *testing.T) {
	res, _ := answer(t, dialects.FC, dialects.MethodNotAllowed("GET, POST"))
	require.Equal(t, "GET, POST", res.Header.Get("Allow"))
	res, _ = answer(t, dialects.AgentCore, &dialects.Error{Code: dialects.CodeThrottling, Status: 429, RetryAfter: 7})
	require.Equal(t, "7", res.Header.Get("Retry-After"))
	res, _ = answer(t, dialects.FC, &dialects.Error{Code: dialects.CodeAccessDenied, Status: 403, RetryAfter: 3})
	require.Equal(t, "3", res.Header.Get("Retry-After"), "where it is asked for")
}

func TestAnErrorWithoutAStatusIsLimpetsOwnFault(t *testing.T) {
	res, _ := answer(t, dialects.FC, &dialects.Error{Code: dialects.CodeInternalError})
	require.Equal(t, http.StatusInternalServerError, res.StatusCode)
}

func TestAFailedWriteIsTold(t *testing.T) {
	require.ErrorIs(t, dialects.FC.Write(deaf{httptest.NewRecorder()}, "r", dialects.Invalid("a", "b")), os.ErrClosed)
}

// deaf takes a head and no body.
type deaf struct{ http.ResponseWriter }

func (deaf) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestErrorText(t *testing.T) {
	require.EqualError(t, dialects.Invalid("limit", "is 0"), "InvalidArgument: limit: is 0")
	var e *dialects.Error
	require.True(t, errors.As(fmt.Errorf("call: %w", dialects.FunctionNotFound("f", "v")), &e))
	require.Equal(t, dialects.Resource{Type: "function", ID: "f"}, e.Resource)
}

// What a client sent comes back quoted and cut, so that it cannot pose as Limpet's text nor fill a log.
func TestFunctionNotFoundQuotesWhatCame(t *testing.T) {
	e := dialects.FunctionNotFound("a\n\"b"+string(make([]byte, 4096)), "v")
	require.NotContains(t, e.Message, "\n")
	require.Less(t, len(e.Message), 1024)
}

func ExampleDialect_Write() {
	e := &dialects.Error{Code: dialects.CodeSessionNotFound, Status: http.StatusNotFound, Message: "there is no such session"}
	for _, d := range []dialects.Dialect{dialects.FC, dialects.AgentCore} {
		w := httptest.NewRecorder()
		if err := d.Write(w, "1-2", e); err != nil {
			fmt.Println(err)
		}
		fmt.Println(w.Code, w.Header().Get("X-Amzn-Errortype"), w.Body)
	}
	// Output:
	// 404  {"Code":"SessionNotFound","Message":"there is no such session","RequestId":"1-2"}
	// 404 ResourceNotFoundException {"message":"there is no such session"}
}
