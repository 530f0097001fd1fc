package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/limpet-proxy/limpet/api/signature"
	"github.com/limpet-proxy/limpet/dialects"
)

const (
	// MaxBody is the length in bytes of the longest body of a control operation.
	MaxBody = 64 << 10
	// MaxSignedBody is the length in bytes of the longest body of an invocation whose signature can only be verified
	// when all of it is there: SigV4 without X-Amz-Content-Sha256, as AWS's own SDKs send it.
	MaxSignedBody = 16 << 20
	// maxHeldBodies is how many such bodies of more than MaxBody are in memory at once.
	maxHeldBodies = 8
	// bodyTimeout bounds the arrival of a body that is read before anything is done.
	bodyTimeout = 30 * time.Second
	// replayMemory is how long a signed request is known again. One signed for the far end of the window is fresh for
	// twice its length; the rest is for replicas whose clocks differ.
	replayMemory = 2*signature.DefaultWindow + time.Minute
)

// authenticate finds out who calls, reads the body where it is to be read, and takes one from the key's rate.
func (c *call) authenticate() *dialects.Error {
	signed, isSigned, err := signature.Parse(c.r)
	open := c.Auth == nil || len(c.Auth.keys) == 0
	switch {
	case open:
		err = c.local()
	case err != nil:
		return signatureProblem(err)
	case isSigned:
		err = c.verify(signed)
	default:
		var problem *dialects.Error
		c.caller, problem = c.Auth.caller(c.r)
		if problem != nil {
			return problem
		}
		err = c.readBody()
	}
	var refusal *dialects.Error
	switch {
	case errors.As(err, &refusal):
		return refusal
	case err != nil:
		return signatureProblem(err)
	}
	return c.caller.limit()
}

// local is for a listener without keys. What a signature says there is not looked at: the SDKs sign in any case.
func (c *call) local() error {
	var problem *dialects.Error
	if c.caller, problem = c.Auth.local(c.r); problem != nil {
		return problem
	}
	return c.readBody()
}

// verify checks a signed request: key, time, signature, body, in this order, so that what costs most comes last.
func (c *call) verify(signed signature.Signed) error {
	key := c.Auth.byID(signed.KeyID)
	if key == nil {
		return &dialects.Error{Code: dialects.CodeInvalidAccessKeyID, Status: http.StatusForbidden, Message: "there is no such access key ID"}
	}
	if err := signed.Fresh(time.Now(), signature.DefaultWindow); err != nil {
		return err
	}
	hash := signed.Payload
	defer c.giveSlot()
	if hash == "" {
		if err := c.readWhole(); err != nil {
			return err
		}
		hash = c.bodyHash()
	}
	if err := signed.Verify(c.r, key.secret, hash); err != nil {
		return err
	}
	if signed.Scheme == signature.SigV4 && !c.signsSession(signed) {
		return &dialects.Error{Code: dialects.CodeSignatureNotMatch, Status: http.StatusForbidden, Message: "the header that names the session is not signed"}
	}
	c.caller = key.caller
	c.replay, c.mayRepeat = cmp.Or(signed.Nonce, signed.Signature), mayRepeat(signed)
	if signed.Payload == "" {
		return nil // the body is read
	}
	return c.readSigned(signed)
}

// readSigned reads a body whose hash the request claims. That of an invocation is read beforehand where it is small, so
// that nothing begins on another body than the signed one; else it streams, and never comes to its end.
func (c *call) readSigned(signed signature.Signed) error {
	c.r.Body = signedBody{signed.Body(c.r.Body)}
	if !c.invoke || signed.Payload == signature.UnsignedPayload || c.r.ContentLength < 0 || c.r.ContentLength > MaxBody {
		return c.readBody()
	}
	if err := c.read(MaxBody); err != nil {
		return err
	}
	c.r.Body = io.NopCloser(bytes.NewReader(c.body))
	return nil
}

// signedBody says of a body that is not the signed one what a client is told.
type signedBody struct{ io.ReadCloser }

func (b signedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, signature.ErrBody) {
		err = signatureProblem(err)
	}
	return n, err
}

// signsSession says whether the signature covers AgentCore's headers that name a session. AWS's SDKs sign all that they
// send; who could add one on the way would choose the session that a signed request goes to, or stops.
func (c *call) signsSession(signed signature.Signed) bool {
	for _, name := range []string{dialects.RuntimeSessionHeader, dialects.InterpreterSessionHeader} {
		if len(c.r.Header.Values(name)) > 0 && !signed.Signs(name) {
			return false
		}
	}
	return true
}

// readWhole reads the body of an invocation too, and puts it back.
func (c *call) readWhole() error {
	if !c.invoke {
		return c.readBody()
	}
	if err := c.takeSlot(); err != nil {
		return err
	}
	if err := c.read(MaxSignedBody); err != nil {
		return err
	}
	c.r.Body, c.r.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
	return nil
}

// takeSlot waits for one of the slots for bodies that are held in memory before anybody knows who sent them, unless it is
// small by its own word. The slot is given back once the signature is checked: what a known caller sends is its own affair.
func (c *call) takeSlot() error {
	if n := c.r.ContentLength; n >= 0 && n <= MaxBody {
		return nil
	}
	patience := time.NewTimer(bodyTimeout)
	defer patience.Stop()
	select {
	case c.held <- struct{}{}:
		c.hasSlot = true
		return nil
	case <-patience.C:
	case <-c.r.Context().Done():
	}
	return &dialects.Error{
		Code: dialects.CodeThrottling, Status: http.StatusTooManyRequests,
		Message: "too many large bodies wait for their signature's check; send X-Amz-Content-Sha256, and they need not",
	}
}

// giveSlot ends what takeSlot began.
func (c *call) giveSlot() {
	if c.hasSlot {
		<-c.held
	}
}

// readBody reads the body of a control operation. That of an invocation streams.
func (c *call) readBody() error {
	if c.invoke {
		return nil
	}
	return c.read(MaxBody)
}

func (c *call) read(limit int64) error {
	// Not supported means that there is nobody who could be slow.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(bodyTimeout))
	var err error
	c.body, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, limit))
	var tooLarge *http.MaxBytesError
	var refusal *dialects.Error
	switch {
	case errors.As(err, &tooLarge):
		return &dialects.Error{Code: dialects.CodeEntityTooLarge, Status: http.StatusBadRequest, Message: "the body is larger than it may be here"}
	case errors.As(err, &refusal):
		return refusal
	case err != nil:
		return &dialects.Error{Code: dialects.CodeInvalidArgument, Status: http.StatusBadRequest, Message: "the body cannot be read", Reason: dialects.ReasonUnparsable}
	}
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
	return nil
}

func (c *call) bodyHash() string {
	sum := sha256.Sum256(c.body)
	return hex.EncodeToString(sum[:])
}

func signatureProblem(err error) *dialects.Error {
	e := &dialects.Error{Code: dialects.CodeSignatureNotMatch, Status: http.StatusForbidden, Message: err.Error()}
	if errors.Is(err, signature.ErrMalformed) {
		e.Code = dialects.CodeAccessDenied
	}
	return e
}
