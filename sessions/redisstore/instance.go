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
	r.URL = d.string()
	d.string() // start
	d.string() // the start before
	if d.bad || len(d.b) > 0 || format != instanceFormat {
		return sessions.InstanceRecord{}, fmt.Errorf("%w: record of instance %q", sessions.ErrCorrupt, id)
	}
	return r, nil
}

// decodePlace splits a field of the registry's hash.
func decodePlace(place string) (version, id string) {
	version, id, _ = strings.Cut(place, "\x00")
	return version, id
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
