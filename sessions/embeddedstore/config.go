package embeddedstore

// Config is the part of the key store that governs the embedded store.
type Config struct {
	Path string `yaml:"path"` // a directory; "" keeps sessions in memory only
}
