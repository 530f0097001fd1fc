package sessions

import (
	"context"
	"time"
)

// Observed is a Store whose operations are reported as they end: op in lower case, how long it took, and its error.
// Close is not reported.
type Observed struct {
	Store
	Hook func(op string, took time.Duration, err error)
}

func (o Observed) done(op string, start time.Time, err *error) { o.Hook(op, time.Since(start), *err) }

// Pin is Store.Pin, observed.
func (o Observed) Pin(ctx context.Context, r PinRequest) (s Session, created bool, err error) {
	defer o.done("pin", time.Now(), &err)
	return o.Store.Pin(ctx, r)
}

// Bind is Store.Bind, observed.
func (o Observed) Bind(ctx context.Context, r BindRequest) (s Session, created bool, err error) {
	defer o.done("bind", time.Now(), &err)
	return o.Store.Bind(ctx, r)
}

// Rehome is Store.Rehome, observed.
func (o Observed) Rehome(ctx context.Context, r RehomeRequest) (s Session, err error) {
	defer o.done("rehome", time.Now(), &err)
	return o.Store.Rehome(ctx, r)
}

// End is Store.End, observed.
func (o Observed) End(ctx context.Context, s Session, keep bool) (ended Session, err error) {
	defer o.done("end", time.Now(), &err)
	return o.Store.End(ctx, s, keep)
}

// Update is Store.Update, observed.
func (o Observed) Update(ctx context.Context, r UpdateRequest) (s Session, err error) {
	defer o.done("update", time.Now(), &err)
	return o.Store.Update(ctx, r)
}

// Touch is Store.Touch, observed.
func (o Observed) Touch(ctx context.Context, touches []Touch) (stale []int, err error) {
	defer o.done("touch", time.Now(), &err)
	return o.Store.Touch(ctx, touches)
}

// Sweep is Store.Sweep, observed.
func (o Observed) Sweep(ctx context.Context, function string) (ended int, err error) {
	defer o.done("sweep", time.Now(), &err)
	return o.Store.Sweep(ctx, function)
}

// Get is Store.Get, observed.
func (o Observed) Get(ctx context.Context, k Key) (s Session, err error) {
	defer o.done("get", time.Now(), &err)
	return o.Store.Get(ctx, k)
}

// List is Store.List, observed.
func (o Observed) List(ctx context.Context, q Query) (p Page, err error) {
	defer o.done("list", time.Now(), &err)
	return o.Store.List(ctx, q)
}

// History is Store.History, observed.
func (o Observed) History(ctx context.Context, k Key) (all []Session, err error) {
	defer o.done("history", time.Now(), &err)
	return o.Store.History(ctx, k)
}

// Qualifiers is Store.Qualifiers, observed.
func (o Observed) Qualifiers(ctx context.Context, function string) (all []string, err error) {
	defer o.done("qualifiers", time.Now(), &err)
	return o.Store.Qualifiers(ctx, function)
}

// Report is Store.Report, observed.
func (o Observed) Report(ctx context.Context, r Report) (records []InstanceRecord, err error) {
	defer o.done("report", time.Now(), &err)
	return o.Store.Report(ctx, r)
}

// Instances is Store.Instances, observed.
func (o Observed) Instances(ctx context.Context, function string) (records []InstanceRecord, err error) {
	defer o.done("instances", time.Now(), &err)
	return o.Store.Instances(ctx, function)
}

// Mark is Store.Mark, observed.
func (o Observed) Mark(ctx context.Context, m Mark) (r InstanceRecord, err error) {
	defer o.done("mark", time.Now(), &err)
	return o.Store.Mark(ctx, m)
}

// Secret is Store.Secret, observed.
func (o Observed) Secret(ctx context.Context, name string) (secret []byte, err error) {
	defer o.done("secret", time.Now(), &err)
	return o.Store.Secret(ctx, name)
}

// Once is Store.Once, observed.
func (o Observed) Once(ctx context.Context, name string, ttl time.Duration) (first bool, err error) {
	defer o.done("once", time.Now(), &err)
	return o.Store.Once(ctx, name, ttl)
}

// Forget is Store.Forget, observed.
func (o Observed) Forget(ctx context.Context, name string) (err error) {
	defer o.done("forget", time.Now(), &err)
	return o.Store.Forget(ctx, name)
}

// Ping is Store.Ping, observed.
func (o Observed) Ping(ctx context.Context) (err error) {
	defer o.done("ping", time.Now(), &err)
	return o.Store.Ping(ctx)
}
