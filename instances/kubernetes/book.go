package kubernetes

import (
	"fmt"
	"time"

	discovery "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// book takes what the reflector hears into a Source.
type book struct {
	*Source
	changed func()
}

var _ cache.ReflectorStore = book{}

// Add takes in a slice.
func (b book) Add(obj any) error { return b.put(obj) }

// Update takes in a slice that has changed.
func (b book) Update(obj any) error { return b.put(obj) }

func (b book) put(obj any) error {
	from, ok := obj.(*discovery.EndpointSlice)
	if !ok {
		return fmt.Errorf("kubernetes: %T is no EndpointSlice", obj)
	}
	b.take(func(known map[string]slice) map[string]slice {
		known[from.Name] = read(from, b.cfg.KubernetesConfig)
		return known
	})
	return nil
}

// Delete takes a slice out.
func (b book) Delete(obj any) error {
	from, ok := obj.(*discovery.EndpointSlice)
	if !ok {
		return fmt.Errorf("kubernetes: %T is no EndpointSlice", obj)
	}
	b.take(func(known map[string]slice) map[string]slice {
		delete(known, from.Name)
		return known
	})
	return nil
}

// Replace takes in all slices there are.
func (b book) Replace(list []any, _ string) error {
	all := make(map[string]slice, len(list))
	for _, obj := range list {
		from, ok := obj.(*discovery.EndpointSlice)
		if !ok {
			return fmt.Errorf("kubernetes: %T is no EndpointSlice", obj)
		}
		all[from.Name] = read(from, b.cfg.KubernetesConfig)
	}
	b.take(func(map[string]slice) map[string]slice { return all })
	return nil
}

// Resync has nothing to do: no reader was left out.
func (b book) Resync() error { return nil }

// take changes the slices and what follows from them.
func (b book) take(change func(map[string]slice) map[string]slice) {
	b.mu.Lock()
	first := !b.known
	b.slices, b.known = change(b.slices), true
	b.tellOddities()
	different := b.publish(time.Now())
	b.mu.Unlock()
	if different || first {
		b.changed()
	}
}
