// Package instances knows which instances a function has, which of them are healthy and which may take a new session.
package instances
