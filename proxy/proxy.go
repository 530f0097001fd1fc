// Package proxy sends one request to the instance its session is pinned to.
package proxy
