// Package embeddedstore keeps the session table in this process, durable when it is given a directory.
package embeddedstore
