// Package protocoltest has tests only: unmodified clients and servers of the protocols that agents speak (MCP, WebSocket,
// gRPC), through real limpet processes. It is a module of its own, so that none of them is among Limpet's own
// dependencies.
package protocoltest
