package api

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// The states of an instance in this dialect. The vendor documents none.
const (
	fcRunning   = "Running"
	fcUnhealthy = "Unhealthy"
	fcDestroyed = "Destroyed"
)

// fcInstance is an instance in Function Compute's words.
type fcInstance struct {
	InstanceID      string `json:"instanceId"`
	Qualifier       string `json:"qualifier"`
	VersionID       string `json:"versionId"`
	Status          string `json:"status"`
	ResourceType    string `json:"resourceType"`
	CreatedTimeMs   int64  `json:"createdTimeMs"`
	DestroyedTimeMs int64  `json:"destroyedTimeMs,omitempty"`
}

// fcInstanceFilter is what ListInstances was asked for.
type fcInstanceFilter struct {
	qualifiers    []string // nil: all; of an alias, its versions
	ids, statuses []string // nil: all
	withAllActive bool
	from, to      int64 // ms
	startKey      string
	limit         int
}

func fcInstancePage() pageSize { return pageSize{"limit", 100, 1000} }

// fcListInstances lists the function's instances, and for the retention those that went away, by ID. The answer has no
// token: startKey is the last ID of the page before.
func (c *call) fcListInstances() (any, *dialects.Error) {
	if err := c.known(c.function); err != nil {
		return nil, err
	}
	filter, err := c.fcInstanceFilter()
	if err != nil {
		return nil, err
	}
	records, failure := c.Store.Instances(c.r.Context(), c.function)
	if failure != nil {
		return nil, conditionOf(failure)
	}
	all := []fcInstance{}
	for _, r := range records {
		if i := c.toFCInstance(r); filter.wants(i) {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b fcInstance) int {
		return cmp.Or(cmp.Compare(a.InstanceID, b.InstanceID), cmp.Compare(a.Qualifier, b.Qualifier))
	})
	return struct {
		Instances []fcInstance `json:"instances"`
		RequestID string       `json:"requestId"`
	}{filter.page(all), c.id}, nil
}

func (c *call) toFCInstance(r sessions.InstanceRecord) fcInstance {
	i := fcInstance{
		InstanceID: r.ID, Qualifier: r.Version, VersionID: r.Version, Status: fcRunning, ResourceType: "instance",
		CreatedTimeMs: r.CreatedAt.UnixMilli(),
	}
	if f, err := c.lookup(c.function, r.Version); err == nil {
		i.ResourceType = f.Source
	}
	if r.Version == sessions.LatestQualifier {
		i.VersionID = "0" // as the vendor numbers LATEST
	}
	switch {
	case !r.GoneAt.IsZero():
		i.Status, i.DestroyedTimeMs = fcDestroyed, r.GoneAt.UnixMilli()
	case !r.LostAt.IsZero():
		i.Status = fcUnhealthy
	}
	return i
}

func (c *call) fcInstanceFilter() (f fcInstanceFilter, err *dialects.Error) {
	values := map[string]string{}
	for _, name := range []string{
		"qualifier", "instanceIds", "instanceStatus", "withAllActive", "startTimeMs", "endTimeMs", "startKey", "limit",
	} {
		if values[name], err = c.one(name); err != nil {
			return f, err
		}
	}
	f.startKey = values["startKey"]
	f.qualifiers = c.qualifiersOf(values["qualifier"])
	if f.limit, err = fcInstancePage().parse(values["limit"]); err != nil {
		return f, err
	}
	if f.ids, err = jsonList("instanceIds", values["instanceIds"]); err != nil {
		return f, err
	}
	if f.statuses, err = jsonList("instanceStatus", values["instanceStatus"]); err != nil {
		return f, err
	}
	if f.from, err = millis("startTimeMs", values["startTimeMs"], 0); err != nil {
		return f, err
	}
	if f.to, err = millis("endTimeMs", values["endTimeMs"], math.MaxInt64); err != nil {
		return f, err
	}
	switch strings.ToLower(values["withAllActive"]) {
	case "", "false":
	case "true":
		f.withAllActive = true
	default:
		return f, dialects.Invalid("withAllActive", "accepted are true and false")
	}
	return f, nil
}

// qualifiersOf returns the versions whose instances a qualifier stands for: itself, or those of an alias; nil for none.
func (c *call) qualifiersOf(qualifier string) []string {
	if qualifier == "" {
		return nil
	}
	if f, err := c.lookup(c.function, qualifier); err == nil && len(f.Versions) > 0 {
		return f.Versions
	}
	return []string{qualifier}
}

// jsonList reads a JSON array of strings, which is how the SDK puts a list into one parameter.
func jsonList(field, text string) (list []string, err *dialects.Error) {
	if text == "" {
		return nil, nil
	}
	if json.Unmarshal([]byte(text), &list) != nil {
		return nil, dialects.Invalid(field, `accepted is a JSON array of strings such as ["a","b"]`)
	}
	return list, nil
}

func millis(field, text string, fallback int64) (int64, *dialects.Error) {
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, dialects.Invalid(field, "accepted is a time in milliseconds since 1970")
	}
	return n, nil
}

// wants says whether an instance lived within the range, or is active and all of those are asked for, and passes the
// other filters.
func (f fcInstanceFilter) wants(i fcInstance) bool {
	end := int64(math.MaxInt64)
	if i.DestroyedTimeMs > 0 {
		end = i.DestroyedTimeMs
	}
	lived := i.CreatedTimeMs <= f.to && end >= f.from
	return (lived || f.withAllActive && i.DestroyedTimeMs == 0) &&
		(len(f.qualifiers) == 0 || slices.Contains(f.qualifiers, i.Qualifier)) &&
		(len(f.ids) == 0 || slices.Contains(f.ids, i.InstanceID)) &&
		(len(f.statuses) == 0 || slices.ContainsFunc(f.statuses, func(s string) bool { return strings.EqualFold(s, i.Status) })) &&
		i.InstanceID > f.startKey
}

// page cuts the list at the limit, but never between two qualifiers' instances of one ID: startKey could not tell them
// apart.
func (f fcInstanceFilter) page(all []fcInstance) []fcInstance {
	n := f.limit
	for n < len(all) && all[n].InstanceID == all[n-1].InstanceID {
		n++
	}
	return all[:min(n, len(all))]
}
