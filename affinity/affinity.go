// Package affinity reads a session ID out of a request and puts it into a response; it remembers nothing.
package affinity
