package api

import (
	"context"
	"net/http"
	"time"

	"github.com/limpet-proxy/limpet/api/signature"
	"github.com/limpet-proxy/limpet/dialects"
)

// sdkAttemptHeader is different in each call, and signed, by the AWS SDKs that have it.
const sdkAttemptHeader = "Amz-Sdk-Invocation-Id"

// repeatWindow is how long after it was signed a request may come again that could be botocore's retry: a second, in which
// the signature is the same, the way here, and what clocks differ.
const repeatWindow = 5 * time.Second

// mayRepeat says whether an equal request could be another one. A SigV4 signature has nothing in it but the request and
// its second. Go's and JavaScript's SDKs sign an ID of the call with it; botocore does not, so that two equal calls in one
// second, which are nothing unusual, look like a replay.
func mayRepeat(signed signature.Signed) bool {
	return signed.Nonce == "" && !signed.Signs(sdkAttemptHeader) && signed.Fresh(time.Now(), repeatWindow) == nil
}

func (c *call) replayName() string { return "signed:" + c.caller.ID + ":" + c.replay }

// firstTime refuses a signed request that comes again: whoever has read it on the way could repeat what it changed. Two
// equal reads within a second share a SigV4 signature and both pass.
//
// So do equal invocations of botocore's. Its retry gets through where that was refused, for then nothing changed, and where
// the operation can see that it was done: that changes nothing either.
func (c *call) firstTime() *dialects.Error {
	if c.replay == "" {
		return nil
	}
	first, err := c.Store.Once(c.r.Context(), c.replayName(), replayMemory)
	switch {
	case err != nil:
		return conditionOf(err)
	case first, c.invoke && c.mayRepeat:
		return nil
	case c.repeatable && c.mayRepeat:
		c.repeated = true
		return nil
	}
	return replayed()
}

// changedNothing makes botocore's retry the first time. Other SDKs sign theirs anew, and what they sent stays used: who has
// read a refused DeleteSession on the way must not keep it for the ID's next session. It is not worth an error: without it
// the retry is refused.
func (c *call) changedNothing() {
	if c.replay != "" && c.mayRepeat && !c.repeated {
		_ = c.Store.Forget(context.WithoutCancel(c.r.Context()), c.replayName())
	}
}

func replayed() *dialects.Error {
	return &dialects.Error{Code: dialects.CodeSignatureNotMatch, Status: http.StatusForbidden, Message: "this signed request was sent before"}
}
