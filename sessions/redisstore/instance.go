package redisstore

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/limpet-proxy/limpet/sessions"
)

const instanceFormat = 1

// decodeInstance decodes what scripts/instance.lua packs, big-endian: format and used (a byte each); incarnation,
// created, last healthy, lost, gone, last seen (8 bytes each); then URL, start nonce and the one before (each with a
// length of 2 bytes).
func decodeInstance(version, id, record string) (sessions.InstanceRecord, error) {
	d := &decoder{b: []byte(record)}
	format, used := d.byte(), d.byte()
	r := sessions.InstanceRecord{
		Home:      sessions.Home{Version: version, ID: id, Incarnation: d.uint64()},
		CreatedAt: d.time(), LastHealthy: d.time(), LostAt: d.time(), GoneAt: d.time(), Used: used == 1,
	}
	d.time() // last seen
	r.URL, r.Start = d.string(), d.string()
	d.string() // the start before
	if d.bad || len(d.b) > 0 || format != instanceFormat {
		return sessions.InstanceRecord{}, fmt.Errorf("%w: record of instance %q", sessions.ErrCorrupt, id)
	}
	return r, nil
}

// decodePlace splits a field of the registry's hash.
func decodePlace(place string) (h sessions.Home) {
	h.Version, h.ID, _ = strings.Cut(place, "\x00")
	return h
}

// decodeDrain puts a drain, "" for none, into the record if it is of its incarnation.
func decodeDrain(drain string, r *sessions.InstanceRecord) error {
	if drain == "" {
		return nil
	}
	var incarnation uint64
	var since, until int64
	if n, err := fmt.Sscanf(drain, "%d %d %d", &incarnation, &since, &until); err != nil || n != 3 || since <= 0 || until < since {
		return fmt.Errorf("%w: drain %q of instance %q", sessions.ErrCorrupt, drain, r.ID)
	}
	if incarnation == r.Incarnation {
		r.DrainingSince, r.DrainDeadline = clock(since), clock(until)
	}
	return nil
}

// decodeCount reads the sessions out of a count, of which none is no sessions.
func decodeCount(count string) (int, error) {
	if count == "" {
		return 0, nil
	}
	n, _, _ := strings.Cut(count, " ")
	sessionCount, err := strconv.Atoi(n)
	if err != nil {
		return 0, fmt.Errorf("%w: count %q", sessions.ErrCorrupt, count)
	}
	return sessionCount, nil
}
