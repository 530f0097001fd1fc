package sdktest_test

import (
	"net/http"
	"slices"
	"testing"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/stretchr/testify/require"
)

func sessionIDs(all []*fc.Session) (ids []string) {
	for _, s := range all {
		ids = append(ids, *s.SessionId)
	}
	return ids
}

// pages follows the tokens to the end, on all replicas in turn.
func (f fcFunction) pages(d *deployment, r fc.ListSessionsRequest) (all []*fc.Session) {
	f.t.Helper()
	for n := 0; ; n++ {
		at := fcOf(f.t, d.replicas[n%len(d.replicas)], admin, f.name).as(f.qualifier)
		page, err := at.list(r)
		require.NoError(f.t, err)
		all = append(all, page.Sessions...)
		if page.NextToken == nil {
			return all
		}
		r.NextToken = page.NextToken
	}
}

func TestFCListSessions(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, listing)
		latest, prod := f.as("LATEST"), f.as("prod")
		var ofLatest, ofProd []string
		for range 23 {
			ofLatest = append(ofLatest, *latest.create(nil).SessionId)
		}
		for range 3 {
			ofProd = append(ofProd, *prod.create(nil).SessionId)
		}
		expired := *latest.createFor(1).SessionId
		eventually(t, func() error { // the sweeper files it within 2 s
			if len(f.pages(d, *new(fc.ListSessionsRequest).SetSessionStatus("Expired"))) == 0 {
				return errStill
			}
			return nil
		})

		page, err := f.list(fc.ListSessionsRequest{})
		require.NoError(t, err)
		require.Len(t, page.Sessions, 20, "the vendor's default")
		require.NotNil(t, page.NextToken)
		all := append(append(slices.Clone(ofLatest), ofProd...), expired)
		require.ElementsMatch(t, all, sessionIDs(f.pages(d, fc.ListSessionsRequest{})))
		five := new(fc.ListSessionsRequest).SetLimit(5)
		require.ElementsMatch(t, all, sessionIDs(f.pages(d, *five)))
		require.ElementsMatch(t, append(slices.Clone(ofLatest), expired), sessionIDs(latest.pages(d, *five)))
		require.ElementsMatch(t, ofProd, sessionIDs(prod.pages(d, fc.ListSessionsRequest{})))
		active := new(fc.ListSessionsRequest).SetSessionStatus("Active")
		require.ElementsMatch(t, ofLatest, sessionIDs(latest.pages(d, *active)))
		ended := f.pages(d, *new(fc.ListSessionsRequest).SetSessionStatus("Expired"))
		require.Equal(t, []string{expired}, sessionIDs(ended))
		require.Equal(t, "Expired", *ended[0].SessionStatus)
		one, err := f.list(*new(fc.ListSessionsRequest).SetSessionId(ofProd[0]))
		require.NoError(t, err)
		require.Equal(t, ofProd[:1], sessionIDs(one.Sessions))
	})
}

// TestFCListSessionsOfOneID lists every record of an ID that was used again.
func TestFCListSessionsOfOneID(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		in := new(fc.CreateSessionInput).SetSessionId("used-again").SetSessionTTLInSeconds(1)
		for range 2 {
			f.create(in)
			f.gone("used-again")
		}
		f.create(in.SetSessionTTLInSeconds(600))
		all := f.pages(d, *new(fc.ListSessionsRequest).SetSessionId("used-again").SetLimit(1))
		require.Len(t, all, 3)
		var statuses []string
		for _, s := range all {
			require.Equal(t, "used-again", *s.SessionId)
			statuses = append(statuses, *s.SessionStatus)
		}
		require.ElementsMatch(t, []string{"Active", "Expired", "Expired"}, statuses)
		require.Len(t, f.pages(d, *new(fc.ListSessionsRequest).SetSessionId("used-again").SetSessionStatus("Expired")), 2)
	})
}

// TestFCTokens are good for the caller and the arguments that they were made for, on every replica.
func TestFCTokens(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		for range 2 {
			f.create(nil)
		}
		page, err := f.list(*new(fc.ListSessionsRequest).SetLimit(1))
		require.NoError(t, err)
		token := *page.NextToken
		_, err = fcOf(t, d.last(), admin, counter).list(*new(fc.ListSessionsRequest).SetLimit(2).SetNextToken(token))
		require.NoError(t, err)
		for name, try := range map[string]func() (*fc.ListSessionsOutput, error){
			"another caller": func() (*fc.ListSessionsOutput, error) {
				return fcOf(t, d.first(), other, counter).list(*new(fc.ListSessionsRequest).SetNextToken(token))
			},
			"another function": func() (*fc.ListSessionsOutput, error) {
				return fcOf(t, d.first(), admin, small).list(*new(fc.ListSessionsRequest).SetNextToken(token))
			},
			"another filter": func() (*fc.ListSessionsOutput, error) {
				return f.list(*new(fc.ListSessionsRequest).SetNextToken(token).SetSessionStatus("Active"))
			},
			"another qualifier": func() (*fc.ListSessionsOutput, error) {
				return f.as("LATEST").list(*new(fc.ListSessionsRequest).SetNextToken(token))
			},
			"no token": func() (*fc.ListSessionsOutput, error) {
				return f.list(*new(fc.ListSessionsRequest).SetNextToken("MTIzNCNhYmM="))
			},
		} {
			_, err := try()
			require.Error(t, err, name)
			requireFC(t, err, http.StatusBadRequest, "InvalidArgument")
		}
	})
}
