// Package sdktest has tests only: the unmodified SDKs of three clouds against real limpet processes. It is a module of
// its own, so that no SDK is among Limpet's own dependencies.
package sdktest
