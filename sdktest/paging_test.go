package sdktest_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/aws/aws-sdk-go-v2/aws"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/deadline"
	"github.com/stretchr/testify/require"
)

const (
	survivors  = 1000
	listers    = 4 // dialects' lists, each as often as rounds
	listRounds = 2
)

// TestPaging lists a thousand sessions through each dialect while others are made and ended: none comes twice, and no
// survivor is missing.
func TestPaging(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		p := population{t: t, d: d}
		ids := p.makeSurvivors()
		ctx, cancel := context.WithCancel(t.Context())
		var churn, lists sync.WaitGroup
		for n := range 2 {
			churn.Go(func() { p.churn(ctx, n) })
		}
		for name, list := range map[string]func() []string{
			"FC": p.byFC, "AgentCore": p.byAgentCore, "Deadline": p.byDeadline, "Deadline's workers": p.byWorkers,
		} {
			lists.Go(func() {
				for range listRounds {
					p.check(name, list(), ids)
				}
			})
		}
		lists.Wait()
		cancel()
		churn.Wait()
		require.NotZero(t, p.churned)
	})
}

// population is what lives in one function.
type population struct {
	t  *testing.T
	d  *deployment
	mu sync.Mutex

	churned int
}

// makeSurvivors makes sessions by plain HTTP: there are many.
func (p *population) makeSurvivors() (ids []string) {
	p.t.Helper()
	for n := range survivors {
		ids = append(ids, fmt.Sprintf("survivor-%04d", n))
	}
	var all sync.WaitGroup
	for part := range listers {
		all.Go(func() {
			for n := part; n < survivors; n += listers {
				if r := p.create(ids[n]); r.status != http.StatusOK {
					p.t.Errorf("%s: %d %s", ids[n], r.status, r.body)
				}
			}
		})
	}
	all.Wait()
	return ids
}

func (p *population) create(id string) reply {
	r, err := call{
		method: http.MethodPost, addr: p.d.last().Admin, path: "/2023-03-30/functions/" + paging + "/sessions",
		header: admin.bearer(), body: `{"sessionId":"` + id + `"}`,
	}.try()
	if err != nil {
		r.body = err.Error()
	}
	return r
}

// churn makes sessions and ends them in the dialects' ways, until it is told to stop.
func (p *population) churn(ctx context.Context, who int) {
	i := interpreterOf(p.t, p.d.first(), admin, paging)
	f := fcOf(p.t, p.d.last(), admin, paging)
	j := jobOf(p.t, p.d.first(), admin, paging)
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("%c-passing-%d-%d", "az"[n%2], who, n) // before all survivors in the order, or after
		if r := p.create(id); r.status != http.StatusOK {
			p.t.Errorf("%s: %d %s", id, r.status, r.body)
			return
		}
		var err error
		switch n % 3 {
		case 0:
			err = f.remove(id)
		case 1:
			_, err = i.stop(id)
		default:
			err = j.end(id)
		}
		if err != nil {
			p.t.Errorf("end %s: %v", id, err)
			return
		}
		p.mu.Lock()
		p.churned++
		p.mu.Unlock()
	}
}

func (p *population) check(name string, listed, ids []string) {
	seen := map[string]int{}
	for _, id := range listed {
		seen[id]++
		if seen[id] == 2 {
			p.t.Errorf("%s: %s is listed twice", name, id)
		}
	}
	for _, id := range ids {
		if seen[id] == 0 {
			p.t.Errorf("%s: %s is missing", name, id)
		}
	}
}

func (p *population) byFC() (ids []string) {
	r := new(fc.ListSessionsRequest).SetLimit(90)
	for n := 0; ; n++ {
		page, err := fcOf(p.t, p.d.replicas[n%len(p.d.replicas)], admin, paging).list(*r)
		if err != nil {
			p.t.Error(err)
			return ids
		}
		ids = append(ids, sessionIDs(page.Sessions)...)
		if r.NextToken = page.NextToken; r.NextToken == nil {
			return ids
		}
	}
}

func (p *population) byAgentCore() (ids []string) {
	in := agent.ListCodeInterpreterSessionsInput{MaxResults: aws.Int32(100)}
	for n := 0; ; n++ {
		page, err := interpreterOf(p.t, p.d.replicas[n%len(p.d.replicas)], admin, interpreterARN(paging)).list(in)
		if err != nil {
			p.t.Error(err)
			return ids
		}
		for _, s := range page.Items {
			ids = append(ids, *s.SessionId)
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return ids
		}
	}
}

func (p *population) byDeadline() (ids []string) {
	pages := deadline.NewListSessionsPaginator(farmClient(p.d.last().Admin, admin),
		&deadline.ListSessionsInput{FarmId: aws.String(farmID), QueueId: aws.String(paging), JobId: aws.String("LATEST")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(p.t.Context())
		if err != nil {
			p.t.Error(err)
			return ids
		}
		for _, s := range page.Sessions {
			ids = append(ids, *s.SessionId)
		}
	}
	return ids
}

func (p *population) byWorkers() (ids []string) {
	for _, i := range world.instances {
		pages := deadline.NewListSessionsForWorkerPaginator(farmClient(p.d.first().Admin, admin),
			&deadline.ListSessionsForWorkerInput{
				FarmId: aws.String(farmID), FleetId: aws.String(paging), WorkerId: &i.name, MaxResults: aws.Int32(70),
			})
		for pages.HasMorePages() {
			page, err := pages.NextPage(p.t.Context())
			if err != nil {
				p.t.Error(err)
				return ids
			}
			for _, s := range page.Sessions {
				ids = append(ids, *s.SessionId)
			}
		}
	}
	return ids
}
