package kubernetes

import (
	"context"
	stderrors "errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/errors"
)

// tell logs the first of a row of failures, what other kind follows it, and the end of the row: a replica without the
// API server goes on for as long as its Pods do, and asks every few seconds.
func (s *Source) tell(ctx context.Context, err error) {
	if err != nil && (stderrors.Is(context.Cause(ctx), context.Canceled) || expired(err)) {
		return // told to end, or the usual answer to one who was away for long
	}
	if errors.IsUnauthorized(err) {
		s.renew()
	}
	now := s.describe(err)
	s.mu.Lock()
	before := s.failing
	s.failing = now
	s.mu.Unlock()
	switch {
	case now == before:
	case now == "":
		s.log.Info("the Kubernetes API server answers again")
	default:
		s.log.Warn(now+"; what is known of the instances stays", "error", err)
	}
}

// expired says that a version is asked for that the API server has forgotten: HTTP 410, or the same as an event.
func expired(err error) bool { return errors.IsResourceExpired(err) || errors.IsGone(err) }

// describe says what an error means to an operator, "" for none.
func (s *Source) describe(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.IsForbidden(err):
		return fmt.Sprintf("the Kubernetes API server forbids it: in namespace %s a Role for this service account needs the rule "+
			`apiGroups ["discovery.k8s.io"], resources ["endpointslices"], verbs ["get", "list", "watch"]`, s.cfg.Namespace)
	case errors.IsUnauthorized(err):
		return "the Kubernetes API server does not accept the token or certificate"
	case errors.IsNotFound(err):
		return "what answers knows no EndpointSlices: is it a Kubernetes API server of version 1.21 or later"
	case errors.IsTooManyRequests(err):
		return "the Kubernetes API server has too many requests"
	default:
		return "the Kubernetes API server does not answer, or not as it should"
	}
}

// tellOddities logs what of the slices does not count, or looks like a slip, when it was not so before. Call with mu
// held.
func (s *Source) tellOddities() {
	now := map[string]bool{}
	for _, one := range s.slices {
		for _, oddity := range one.oddities {
			now[oddity] = true
		}
	}
	if len(s.slices) == 0 {
		now["the Service has no EndpointSlice: it does not exist, or selects nothing"] = true
	}
	for _, oddity := range slices.Sorted(maps.Keys(now)) {
		if !s.oddities[oddity] {
			s.log.Warn(oddity)
		}
	}
	s.oddities = now
}
