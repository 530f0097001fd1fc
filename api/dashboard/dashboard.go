// Package dashboard renders the page of functions, instances and session counts.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page is part of the binary
	"encoding/base64"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Refresh is how often a browser asks for the page again.
const Refresh = 5 * time.Second

// View is what the page shows.
type View struct {
	Deployment, Version string
	Status              string   // ready, degraded, starting, draining
	Reasons             []string // why it is not ready
	Store               string   // its kind
	Now                 time.Time
	Functions           []Function
}

// Function is one function and qualifier.
type Function struct {
	Name, Qualifier, Affinity string
	Instances                 []Instance
	Versions                  []Version // of an alias, which has no instances of its own
}

// Version is one version of an alias.
type Version struct {
	Qualifier string
	Weight    int
	Share     float64 // of new sessions, now: 0 to 1
	Instances int
	Ready     int
	Sessions  int // on its instances, whichever way they came
}

// Instance is one instance of a function.
type Instance struct {
	ID          string
	State       string // starting, ready, draining, unhealthy, gone
	Since       time.Time
	Sessions    int
	PerInstance int
	InFlight    int
	DrainUntil  time.Time // of one that drains: its sessions may stay until then; else zero
}

// Page renders views. It is safe for concurrent use.
type Page struct {
	template *template.Template
	policy   string // Content-Security-Policy
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// New returns the page.
func New() *Page {
	hash := sha256.Sum256([]byte(pageCSS))
	return &Page{
		template: template.Must(template.New("page").Funcs(template.FuncMap{
			"ago": ago, "left": left, "fill": fill, "sum": sum, "n": number, "tone": tone, "percent": percent,
		}).Parse(pageHTML)),
		// The page has one style sheet, known by its hash, and nothing else: no script, image or frame, wherever a
		// mistake in escaping might let one in.
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

// Write answers with the page. An error can only be that the client is gone.
func (p *Page) Write(w http.ResponseWriter, v View) {
	var body bytes.Buffer
	err := p.template.Execute(&body, struct {
		View
		CSS     template.CSS
		Refresh int
	}{v, template.CSS(pageCSS), int(Refresh.Seconds())}) //nolint:gosec // our own file
	if err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", p.policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes())
}

// tone is the class of a state: a fixed word, whatever the state.
func tone(state string) string {
	switch state {
	case "ready":
		return "good"
	case "degraded", "starting", "draining":
		return "fair"
	case "unhealthy":
		return "bad"
	}
	return "idle"
}

// fill is how much of a bar of width 100 is full.
func fill(sessions, perInstance int) int {
	if perInstance <= 0 {
		return 0
	}
	return max(0, min(100, int(float64(sessions)/float64(perInstance)*100)))
}

// percent is a share of 1 to a tenth of a percent, which is what weights can say.
func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1000)/10, 'f', -1, 64) + " %"
}

// sums are the totals of a function.
type sums struct{ Ready, Sessions, Slots, InFlight int }

func sum(instances []Instance) (s sums) {
	for _, i := range instances {
		s.Sessions += i.Sessions
		s.InFlight += i.InFlight
		if i.State == "ready" {
			s.Ready++
			s.Slots += i.PerInstance
		}
	}
	return s
}

// ago says how long ago then was, in the largest unit that fits.
func ago(now, then time.Time) string {
	d := now.Sub(then)
	switch {
	case then.IsZero():
		return "–"
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " d"
}

// left says how long it is until then.
func left(now, then time.Time) string {
	if !then.After(now) {
		return "over"
	}
	return ago(then, now) + " left"
}

// number groups digits by thousands, with a narrow space that does not break.
func number(n int) string {
	digits, sign := strconv.Itoa(n), ""
	if n < 0 {
		digits, sign = digits[1:], "−"
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "\u202f" + digits[at:]
	}
	return sign + digits
}
