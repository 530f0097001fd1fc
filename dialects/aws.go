package dialects

import "net/http"

// AWSRequestIDHeader has the request's ID in every answer of AWS.
const AWSRequestIDHeader = "X-Amzn-Requestid" // canonical form

// exception is an error in the words of an AWS service (restJson1): the type is in the header x-amzn-errortype.
type exception struct {
	status    int
	exception string
}

// The exceptions that both services have. Only the internal error is called differently.
const (
	validationException = "ValidationException"
	accessDenied        = "AccessDeniedException"
	notFoundException   = "ResourceNotFoundException"
	conflictException   = "ConflictException"
	quotaException      = "ServiceQuotaExceededException"
	throttlingException = "ThrottlingException"
	unknownOperation    = "UnknownOperationException"
	runtimeClientError  = "RuntimeClientError"
)

// exceptions are AWS's words for the codes. What is not here is an internal error.
//
// An SDK sends a request again after a 5xx. After an instance was reached that must not happen, for it may have executed
// it: so those are 424, which no SDK tries again.
var exceptions = map[Code]exception{
	CodeInvalidArgument:      {http.StatusBadRequest, validationException},
	CodeEntityTooLarge:       {http.StatusBadRequest, validationException},
	CodeNotSupported:         {http.StatusBadRequest, validationException},
	CodeInvalidAccessKeyID:   {http.StatusForbidden, accessDenied},
	CodeSignatureNotMatch:    {http.StatusForbidden, accessDenied},
	CodeAccessDenied:         {http.StatusForbidden, accessDenied},
	CodeFunctionNotFound:     {http.StatusNotFound, notFoundException},
	CodeSessionNotFound:      {http.StatusNotFound, notFoundException},
	CodeSessionExpired:       {http.StatusNotFound, notFoundException},
	CodeNotFound:             {http.StatusNotFound, unknownOperation},
	CodeMethodNotAllowed:     {http.StatusMethodNotAllowed, unknownOperation},
	CodeSessionAlreadyExists: {http.StatusConflict, conflictException},
	CodeNoCapacity:           {http.StatusPaymentRequired, quotaException},
	CodeThrottling:           {http.StatusTooManyRequests, throttlingException},
	CodeResourceExhausted:    {http.StatusTooManyRequests, throttlingException},
	CodeBadGateway:           {http.StatusFailedDependency, runtimeClientError},
	CodeGatewayTimeout:       {http.StatusFailedDependency, runtimeClientError},
}

// words are what the two services say differently.
type words struct {
	internal                           string
	field, unparsable, mismatch, other string // reasons of a ValidationException
	conflict, quota                    string // reasons of those
}

func (d Dialect) words() words {
	if d == Deadline {
		return words{
			internal: "InternalServerErrorException",
			field:    "FIELD_VALIDATION_FAILED", unparsable: "CANNOT_PARSE", mismatch: "OTHER", other: "OTHER",
			conflict: "RESOURCE_ALREADY_EXISTS", quota: "SERVICE_QUOTA_EXCEEDED_EXCEPTION",
		}
	}
	return words{
		internal: "InternalServerException",
		field:    "FieldValidationFailed", unparsable: "CannotParse",
		mismatch: "IdempotentParameterMismatchException", other: "FieldValidationFailed",
	}
}

func (d Dialect) aws(e *Error) exception {
	if said, ok := exceptions[e.Code]; ok {
		return said
	}
	return exception{http.StatusInternalServerError, d.words().internal}
}

// awsBody has the members of all exceptions: those that an exception has not are left out.
type awsBody struct {
	Message      string     `json:"message"`
	Reason       string     `json:"reason,omitempty"`
	FieldList    []awsField `json:"fieldList,omitempty"`
	ResourceID   string     `json:"resourceId,omitempty"`
	ResourceType string     `json:"resourceType,omitempty"`
	ServiceCode  string     `json:"serviceCode,omitempty"`
	QuotaCode    string     `json:"quotaCode,omitempty"`
}

type awsField struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

func (x exception) body(d Dialect, e *Error) awsBody {
	w := d.words()
	b := awsBody{Message: e.Message}
	switch x.exception {
	case validationException:
		b.Reason = w.validation(e)
		if e.Field != "" {
			b.FieldList = []awsField{{e.Field, e.Message}}
		}
	case notFoundException:
		b.ResourceType, b.ResourceID = e.Resource.Type, e.Resource.ID
	case conflictException:
		b.Reason, b.ResourceType, b.ResourceID = w.conflict, e.Resource.Type, e.Resource.ID
	case quotaException:
		b.Reason, b.ResourceType = w.quota, e.Resource.Type
		b.ServiceCode, b.QuotaCode = "limpet", "per_instance"
	}
	return b
}

func (w words) validation(e *Error) string {
	switch {
	case e.Reason == ReasonMismatch:
		return w.mismatch
	case e.Reason == ReasonUnparsable:
		return w.unparsable
	case e.Field != "":
		return w.field
	default:
		return w.other
	}
}
