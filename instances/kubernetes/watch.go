package kubernetes

import (
	"context"
	"errors"
	"reflect"
	"time"

	discovery "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	// listTimeout bounds one list: an API server itself gives up after a minute (--request-timeout).
	listTimeout = time.Minute
	// watchTimeout bounds one watch. The reflector asks the API server to end it after 5 to 10 minutes; one that has
	// fallen silent would otherwise be believed for ever.
	watchTimeout = 11 * time.Minute
	// Between two tries, from retryFirst doubling to retryMost: this is one client for each function and replica.
	retryFirst = 500 * time.Millisecond
	retryMost  = 10 * time.Second
)

var (
	// errNoList: "{}" and the like decode into a list of nothing, and would take every instance away.
	errNoList = errors.New("the answer is no list of EndpointSlices: it has no resourceVersion")
	// errNoWatch: the client makes an empty watch of a connection that breaks before an answer.
	errNoWatch = errors.New("the connection ended before an answer")
)

// pace is how long things take.
type pace struct {
	list, watch, retryFirst, retryMost, linger time.Duration
}

func defaultPace() pace { return pace{listTimeout, watchTimeout, retryFirst, retryMost, lingerFor} }

// watch lists and watches the Service's slices until ctx is done. After a broken watch it goes on from the last version
// that it heard of; after 410 Gone, garbage or an error in the stream it lists anew. What is known stays until then.
func (s *Source) watch(ctx context.Context, changed func()) {
	quiet := klog.Logger{} // what matters of what the library would say, tell says, and once
	reflector := cache.NewReflectorWithOptions(endpointSlices{s}, &discovery.EndpointSlice{}, book{s, changed}, cache.ReflectorOptions{
		Logger: &quiet, Name: "endpointslices", Backoff: s.pace.backoff(),
	})
	reflector.RunWithContext(klog.NewContext(ctx, quiet))
}

func (p pace) backoff() *wait.Backoff {
	steps := 1
	for d := p.retryFirst; d < p.retryMost; d *= 2 {
		steps++
	}
	return &wait.Backoff{Duration: p.retryFirst, Cap: p.retryMost, Steps: steps, Factor: 2, Jitter: 0.5}
}

// endpointSlices asks the API server for the Service's slices.
type endpointSlices struct{ *Source }

var _ cache.ListerWatcherWithContext = endpointSlices{}

// IsWatchListSemanticsUnSupported keeps the reflector from streaming the list, which is for large ones. In that mode it
// also waits for its next try without looking at its context.
func (endpointSlices) IsWatchListSemanticsUnSupported() bool { return true }

// List is ListWithContext, for the interface's sake.
func (e endpointSlices) List(o meta.ListOptions) (runtime.Object, error) {
	return e.ListWithContext(context.Background(), o)
}

// Watch is WatchWithContext, for the interface's sake.
func (e endpointSlices) Watch(o meta.ListOptions) (watch.Interface, error) {
	return e.WatchWithContext(context.Background(), o)
}

// ListWithContext asks for all of them.
func (e endpointSlices) ListWithContext(ctx context.Context, o meta.ListOptions) (runtime.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, e.pace.list)
	defer cancel()
	list := &discovery.EndpointSliceList{}
	err := e.request(o).Do(ctx).Into(list)
	if err == nil && list.ResourceVersion == "" {
		err = errNoList
	}
	if err != nil {
		e.tell(ctx, err) // success is told when a watch has begun: a Role may have the one verb without the other
	}
	return list, err
}

// WatchWithContext asks for their changes.
func (e endpointSlices) WatchWithContext(ctx context.Context, o meta.ListOptions) (watch.Interface, error) {
	o.Watch = true
	ctx, cancel := context.WithTimeout(ctx, e.pace.watch)
	w, err := e.request(o).Watch(ctx)
	if err == nil && reflect.TypeOf(w) == reflect.TypeOf(watch.NewEmptyWatch()) {
		err = errNoWatch
	}
	e.tell(ctx, err)
	if err != nil {
		cancel()
		return nil, err
	}
	return bounded{watch.Filter(w, func(event watch.Event) (watch.Event, bool) {
		if event.Type == watch.Error && ctx.Err() == nil {
			e.overhear(ctx, apierrors.FromObject(event.Object))
		}
		return event, true
	}), cancel}, nil
}

// overhear tells of an error in the stream: the reflector begins anew and says nothing. A broken connection looks there
// like garbage. It is told if the next one cannot be made.
func (e endpointSlices) overhear(ctx context.Context, err error) {
	if apierrors.HasStatusCause(err, clientWatchDecoding) {
		e.log.Debug("the watch of EndpointSlices broke off", "error", err)
		return
	}
	e.tell(ctx, err)
}

// clientWatchDecoding is the cause that the client gives to what it cannot read.
const clientWatchDecoding = "ClientWatchDecoding"

func (e endpointSlices) request(o meta.ListOptions) *rest.Request {
	o.LabelSelector = labels.Set{discovery.LabelServiceName: e.cfg.Service}.String()
	return e.access().Get().Namespace(e.cfg.Namespace).Resource("endpointslices").
		SpecificallyVersionedParams(&o, meta.ParameterCodec, schema.GroupVersion{Version: "v1"})
}

// bounded is a watch with a context of its own.
type bounded struct {
	watch.Interface
	cancel context.CancelFunc
}

// Stop ends the watch.
func (b bounded) Stop() {
	b.Interface.Stop() // first: to be cancelled is an error in the stream
	b.cancel()
}
