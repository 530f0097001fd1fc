package page_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
)

// filler gives each number and text of a struct a value that no other has, so that a test can look for it.
type filler struct {
	next  int
	texts []string // how the page has to write them
}

func (f *filler) fill(s any, unit string) {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		f.next++
		field, unit := v.Field(i), unit
		switch field.Kind() {
		case reflect.Int, reflect.Int64:
			field.SetInt(int64(41_000 + f.next))
			f.texts = append(f.texts, fmt.Sprintf("41,%03d", f.next))
		case reflect.Float64:
			field.SetFloat(float64(f.next))
			if v.Type().Field(i).Name == "Rate" {
				unit = "/s"
			}
			f.texts = append(f.texts, fmt.Sprintf("%d%s", f.next, unit))
		case reflect.String:
			field.SetString(fmt.Sprintf("text%d", f.next))
			f.texts = append(f.texts, fmt.Sprintf("text%d", f.next))
		default:
		}
	}
}

// TestEveryNumberIsOnThePage goes by the types, so that a new field of the report is missed here until it is shown.
func TestEveryNumberIsOnThePage(t *testing.T) {
	var r load.Report
	f := filler{next: 10}
	f.fill(&r.Requests, "")
	f.fill(&r.Rate, "/s")
	f.fill(&r.Latency, " ms")
	f.fill(&r.Service, " ms")
	f.fill(&r.Sessions, "")
	f.fill(&r.Affinity, "")
	f.fill(&r.Load, " s")
	r.Load.Targets = []string{"first target", "second target"}
	r.Affinity.Examples, r.Affinity.Announced = make([]load.Example, 1), make([]load.Example, 1)
	f.fill(&r.Affinity.Examples[0], " s")
	f.fill(&r.Affinity.Announced[0], " s")
	r.Failures, r.Instances = make([]load.Failure, 1), make([]load.InstanceUse, 1)
	f.fill(&r.Failures[0], "")
	f.fill(&r.Instances[0], "")
	seen := text(render(t, r))
	r.Load.Model = "open"
	seen += text(render(t, r)) // the closed model has no rate
	for _, want := range append(f.texts, "first target second target") {
		require.Contains(t, seen, " "+want+" ")
	}
}
