package configs

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// MaxFileSize is the size in bytes of the largest configuration file that is read.
const MaxFileSize = 1 << 20

// Loaded is a configuration that passed every check.
type Loaded struct {
	Config   Config
	Warnings []Problem // what works and is probably not meant, in the order of the file
}

// Load reads, decodes and validates the file at path. Variables come from the environment. A file with problems
// gives an *Error that holds all of them; for a file that cannot be read it wraps the operating system's error.
//
// Load reads the secret and key files that the configuration names as well, to see that they are there: relative
// names are relative to the working directory. It keeps nothing of what they hold.
func Load(path string) (*Loaded, error) {
	data, err := read(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		unread := fileProblem(path, "file", top(), "cannot be read, accepted is a YAML file: %v", err)
		unread.cause = err
		return nil, unread
	}
	return Parse(path, data, os.LookupEnv)
}

// read returns at most one byte more than MaxFileSize, for Parse to refuse: the file may be endless.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read from
	return io.ReadAll(io.LimitReader(f, MaxFileSize+1))
}

// Parse is Load for a file's content. The name is for messages only; lookup finds variables, as os.LookupEnv does.
func Parse(name string, data []byte, lookup func(string) (string, bool)) (*Loaded, error) {
	root, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	d := newDecoder(name, lookup)
	cfg := Default()
	d.root(root, &cfg)
	d.settle(&cfg)
	cfg.Validate(d.invalid)
	if len(d.problems) > 0 {
		byPosition(d.problems)
		return nil, &Error{Problems: d.problems}
	}
	loaded := &Loaded{Config: cfg}
	cfg.warn(func(key, text string) { loaded.Warnings = append(loaded.Warnings, d.problem(key, text)) })
	byPosition(loaded.Warnings)
	return loaded, nil
}
