// Package api serves the admin plane; it holds no state.
package api
