package configs

import (
	"reflect"
	"strings"
)

// NeedsRestart returns the keys that differ between two configurations and that a running process cannot change:
// listeners stay where they are, with TLS or without, and so do the store, the cache and the deployment's name, which sessions in use
// depend on. All others take effect with a reload. The keys are in the order of the reference.
func NeedsRestart(old, now Config) []string {
	var keys []string
	for _, key := range changed("", reflect.ValueOf(old), reflect.ValueOf(now)) {
		top, _, _ := strings.Cut(key, ".")
		switch top {
		case "listen", "h2c", "admin", "deployment", "limits", "store", "cache":
			keys = append(keys, key)
		case "tls":
			keys = appendIf(keys, key, (old.TLS == nil) != (now.TLS == nil))
		case "admin_tls":
			keys = appendIf(keys, key, (old.AdminTLS == nil) != (now.AdminTLS == nil))
		}
	}
	return keys
}

func appendIf(keys []string, key string, ok bool) []string {
	if ok {
		return append(keys, key)
	}
	return keys
}

// changed returns the innermost keys of two structs of one type whose values differ. A list is one value.
func changed(key string, a, b reflect.Value) []string {
	if a.Kind() != reflect.Struct {
		if reflect.DeepEqual(a.Interface(), b.Interface()) {
			return nil
		}
		return []string{key}
	}
	var keys []string
	for _, f := range fieldsOf(a.Type()) {
		keys = append(keys, changed(join(key, f.name), a.FieldByIndex(f.index), b.FieldByIndex(f.index))...)
	}
	return keys
}
