package api

// MaxHeldBodies is maxHeldBodies.
const MaxHeldBodies = maxHeldBodies

// ParseDrain is parseDrain.
var ParseDrain = parseDrain
