package api

import (
	"net/http"
	"time"

	"github.com/limpet-proxy/limpet/dialects"
)

// functionsPath lists the functions that the caller may read, in Limpet's own words.
const functionsPath = "/limpet/v1/functions"

// functionList is the body of functionsPath. The IDs are those by which the Deadline dialect names things.
type functionList struct {
	Deployment string           `json:"deployment"`
	FarmID     string           `json:"farmId"`
	Functions  []functionListed `json:"functions"`
}

type functionListed struct {
	Name      string           `json:"name"`
	Qualifier string           `json:"qualifier"`
	Affinity  string           `json:"affinity"`
	QueueID   string           `json:"queueId"`
	JobID     string           `json:"jobId"`
	FleetID   string           `json:"fleetId"`
	Instances []instanceListed `json:"instances"`
	Versions  []versionListed  `json:"versions,omitempty"` // of an alias, whose instances are theirs
}

type versionListed struct {
	Qualifier string  `json:"qualifier"`
	Weight    int     `json:"weight"`
	Share     float64 `json:"share"` // of new sessions, now: 0 without a ready instance
	Instances int     `json:"instances"`
	Ready     int     `json:"ready"`
	Sessions  int     `json:"sessions"` // on its instances, whichever way they came
}

type instanceListed struct {
	ID          string    `json:"id"`
	WorkerID    string    `json:"workerId"`
	State       string    `json:"state"` // as this replica sees it
	Since       time.Time `json:"since,omitzero"`
	Sessions    int       `json:"sessions"`
	PerInstance int       `json:"perInstance"`
	InFlight    int       `json:"inFlight"` // requests of this replica
	Drain       *drain    `json:"drain,omitempty"`
}

func (a Admin) listFunctions(w http.ResponseWriter, r *http.Request) {
	caller := CallerOf(r.Context())
	names := deadlineNames{a.Deployment}
	list := functionList{Deployment: a.Deployment, FarmID: names.farm(), Functions: []functionListed{}}
	for _, f := range a.functions() {
		if !caller.May(Read, f.Name) {
			continue
		}
		listed := functionListed{
			Name: f.Name, Qualifier: f.Qualifier, Affinity: f.Affinity, Instances: []instanceListed{},
			QueueID: names.queue(f.Name), JobID: names.job(f.Name, f.Qualifier), FleetID: names.fleet(f.Name, f.Qualifier),
		}
		for _, i := range f.Instances {
			listed.Instances = append(listed.Instances, instanceListed{
				ID: i.ID, WorkerID: names.worker(f.Name, f.Qualifier, i.ID), State: i.State, Since: i.Since,
				Sessions: i.Sessions, PerInstance: i.PerInstance, InFlight: i.InFlight, Drain: i.drain(),
			})
		}
		for _, v := range f.Versions {
			listed.Versions = append(listed.Versions, versionListed{v.Qualifier, v.Weight, f.share(v), v.Instances, v.Ready, v.Sessions})
		}
		list.Functions = append(list.Functions, listed)
	}
	writeJSON(w, http.StatusOK, list)
}

// deadlineNames derives the IDs of the Deadline dialect.
type deadlineNames struct{ deployment string }

func (n deadlineNames) farm() string { return dialects.DeriveID(dialects.FarmID, n.deployment) }

func (n deadlineNames) queue(function string) string {
	return dialects.DeriveID(dialects.QueueID, n.deployment, function)
}

func (n deadlineNames) job(function, qualifier string) string {
	return dialects.DeriveID(dialects.JobID, n.deployment, function, qualifier)
}

func (n deadlineNames) fleet(function, qualifier string) string {
	return dialects.DeriveID(dialects.FleetID, n.deployment, function, qualifier)
}

func (n deadlineNames) worker(function, qualifier, instance string) string {
	return dialects.DeriveID(dialects.WorkerID, n.deployment, function, qualifier, instance)
}
