package dialects

// FCRequestIDHeader has the request's ID in every answer of Function Compute.
const FCRequestIDHeader = "X-Fc-Request-Id"

// fcBody is an error in Function Compute's words: the model of its SDK. The codes are Limpet's own, since the vendor
// documents none for sessions.
type fcBody struct {
	Code      Code   `json:"Code"`
	Message   string `json:"Message"`
	RequestID string `json:"RequestId"`
}
