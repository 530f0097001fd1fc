package sdktest_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore/types"
	"github.com/stretchr/testify/require"
)

func TestAgentCoreSession(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		for _, name := range []string{counter, interpreterARN(counter)} {
			i := interpreterOf(t, d.first(), admin, name)
			s := i.start(agent.StartCodeInterpreterSessionInput{Name: aws.String("my session"), SessionTimeoutSeconds: aws.Int32(600)})
			require.Regexp(t, `^[0-9a-zA-Z]{1,40}$`, *s.SessionId)
			require.Equal(t, name, *s.CodeInterpreterIdentifier, "as the caller called it")
			require.WithinDuration(t, time.Now(), *s.CreatedAt, time.Minute)

			got, err := interpreterOf(t, d.last(), admin, name).get(*s.SessionId)
			require.NoError(t, err)
			require.Equal(t, name, *got.CodeInterpreterIdentifier)
			require.Equal(t, *s.SessionId, *got.SessionId)
			require.Equal(t, *s.CreatedAt, *got.CreatedAt)
			require.Equal(t, "my session", *got.Name)
			require.EqualValues(t, 600, *got.SessionTimeoutSeconds)
			require.Equal(t, types.CodeInterpreterSessionStatusReady, got.Status)

			first := i.mustExecute(*s.SessionId)
			second := interpreterOf(t, d.last(), admin, name).mustExecute(*s.SessionId)
			require.Equal(t, first.Instance, second.Instance)
			require.Equal(t, []int{1, 2}, []int{first.Count, second.Count})
			require.Equal(t, *s.SessionId, first.Session)

			stopped, err := i.stop(*s.SessionId)
			require.NoError(t, err)
			require.Equal(t, *s.SessionId, *stopped.SessionId)
			require.Equal(t, name, *stopped.CodeInterpreterIdentifier)
			require.False(t, stopped.LastUpdatedAt.Before(*s.CreatedAt))
			got, err = i.get(*s.SessionId)
			require.NoError(t, err)
			require.Equal(t, types.CodeInterpreterSessionStatusTerminated, got.Status)
			again, err := interpreterOf(t, d.last(), admin, name).stop(*s.SessionId)
			require.NoError(t, err)
			require.Equal(t, *stopped.LastUpdatedAt, *again.LastUpdatedAt)
			_, _, err = i.execute(*s.SessionId)
			requireMissing(t, err)
		}
	})
}

func TestAgentCoreDefaults(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		i := interpreterOf(t, d.first(), admin, counter)
		got, err := i.get(i.begin())
		require.NoError(t, err)
		require.EqualValues(t, 900, *got.SessionTimeoutSeconds)
		require.Nil(t, got.Name)
		longest, err := i.get(*i.start(agent.StartCodeInterpreterSessionInput{SessionTimeoutSeconds: aws.Int32(28800)}).SessionId)
		require.NoError(t, err)
		require.EqualValues(t, 28800, *longest.SessionTimeoutSeconds, "whatever the function's own ttl")
	})
}

// TestAgentCoreClientToken starts one session, however often, at once, and through whichever replica.
func TestAgentCoreClientToken(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		token := "client-token-of-33-characters-at-least"
		in := agent.StartCodeInterpreterSessionInput{
			ClientToken: &token, Name: aws.String("one"), SessionTimeoutSeconds: aws.Int32(600),
		}
		var mu sync.Mutex
		ids, created := map[string]int{}, map[time.Time]int{}
		var all sync.WaitGroup
		for n := range 8 {
			i := interpreterOf(t, d.replicas[n%len(d.replicas)], admin, counter)
			all.Go(func() {
				out, err := i.tryStart(in)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				ids[*out.SessionId]++
				created[*out.CreatedAt]++
			})
		}
		all.Wait()
		require.Len(t, ids, 1)
		require.Len(t, created, 1)

		i := interpreterOf(t, d.last(), admin, counter)
		for _, change := range []func(*agent.StartCodeInterpreterSessionInput){
			func(in *agent.StartCodeInterpreterSessionInput) { in.Name = aws.String("two") },
			func(in *agent.StartCodeInterpreterSessionInput) { in.Name = nil },
			func(in *agent.StartCodeInterpreterSessionInput) { in.SessionTimeoutSeconds = aws.Int32(601) },
		} {
			changed := in
			change(&changed)
			_, err := i.tryStart(changed)
			requireInvalid(t, err, types.ValidationExceptionReasonIdempotentParameterMismatchException, "clientToken")
		}
		foreign := interpreterOf(t, d.first(), other, counter).start(in)
		require.NotContains(t, ids, *foreign.SessionId, "another caller's token is another token")
		elsewhere := interpreterOf(t, d.first(), admin, agents).start(in)
		require.NotContains(t, ids, *elsewhere.SessionId)
		_, err := interpreterOf(t, d.first(), admin, agents).stop(*elsewhere.SessionId)
		require.NoError(t, err)

		for id := range ids { // a stopped session is not started again
			_, err := i.stop(id)
			require.NoError(t, err)
			out := interpreterOf(t, d.first(), admin, counter).start(in)
			require.Equal(t, id, *out.SessionId)
			got, err := i.get(id)
			require.NoError(t, err)
			require.Equal(t, types.CodeInterpreterSessionStatusTerminated, got.Status)
		}
	})
}

// TestAgentCoreTimeoutIsHard whatever the session does.
func TestAgentCoreTimeoutIsHard(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		i := interpreterOf(t, d.first(), admin, counter)
		began := time.Now()
		id := *i.start(agent.StartCodeInterpreterSessionInput{SessionTimeoutSeconds: aws.Int32(2)}).SessionId
		started := time.Now()
		count := 0
		var err error
		eventually(t, func() error {
			for _, p := range d.replicas {
				if _, _, err = interpreterOf(t, p, admin, counter).execute(id); err != nil {
					return nil
				}
				count++
			}
			return errStill
		})
		requireMissing(t, err)
		require.GreaterOrEqual(t, time.Since(began), 2*time.Second)
		require.Less(t, time.Since(started), 5*time.Second)
		require.Greater(t, count, 5)
		got, err := i.get(id)
		require.NoError(t, err)
		require.Equal(t, types.CodeInterpreterSessionStatusTerminated, got.Status)
	})
}

func TestAgentCoreList(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		i := interpreterOf(t, d.first(), admin, agents)
		token := func() map[string]bool { // TestAgentCoreClientToken has one here too
			seen := map[string]bool{}
			for _, s := range i.pages(d, agent.ListCodeInterpreterSessionsInput{}) {
				seen[*s.SessionId] = true
			}
			return seen
		}
		before := token()
		ready, stopped := map[string]bool{}, map[string]bool{}
		for range 9 {
			ready[i.begin()] = true
		}
		for range 4 {
			id := i.begin()
			stopped[id] = true
			_, err := i.stop(id)
			require.NoError(t, err)
		}
		page, err := i.list(agent.ListCodeInterpreterSessionsInput{})
		require.NoError(t, err)
		require.Len(t, page.Items, 10, "the vendor's default")
		for _, size := range []int32{3, 100} {
			for status, want := range map[types.CodeInterpreterSessionStatus]map[string]bool{"READY": ready, "TERMINATED": stopped} {
				got := map[string]bool{}
				for _, s := range i.pages(d, agent.ListCodeInterpreterSessionsInput{MaxResults: &size, Status: status}) {
					require.Equal(t, status, s.Status)
					require.Equal(t, agents, *s.CodeInterpreterIdentifier)
					require.False(t, s.LastUpdatedAt.Before(*s.CreatedAt))
					if !before[*s.SessionId] && (ready[*s.SessionId] || stopped[*s.SessionId]) {
						got[*s.SessionId] = true
					}
				}
				require.Equal(t, want, got)
			}
		}
		for id := range ready {
			require.Contains(t, token(), id)
		}
		_, err = i.list(agent.ListCodeInterpreterSessionsInput{NextToken: page.NextToken, Status: "READY"})
		requireInvalid(t, err, types.ValidationExceptionReasonFieldValidationFailed, "nextToken")
		_, err = interpreterOf(t, d.first(), other, agents).list(agent.ListCodeInterpreterSessionsInput{NextToken: page.NextToken})
		requireInvalid(t, err, types.ValidationExceptionReasonFieldValidationFailed, "nextToken")
		_, err = i.list(agent.ListCodeInterpreterSessionsInput{NextToken: aws.String(strings.Repeat("x", 50))})
		requireInvalid(t, err, types.ValidationExceptionReasonFieldValidationFailed, "nextToken")
	})
}

// pages follows the tokens to the end, on all replicas in turn.
func (i interpreter) pages(d *deployment, in agent.ListCodeInterpreterSessionsInput) (all []types.CodeInterpreterSessionSummary) {
	i.t.Helper()
	for n := 0; ; n++ {
		page, err := interpreterOf(i.t, d.replicas[n%len(d.replicas)], admin, i.name).list(in)
		require.NoError(i.t, err)
		all = append(all, page.Items...)
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return all
		}
	}
}
