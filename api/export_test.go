package api

// MaxHeldBodies is maxHeldBodies.
const MaxHeldBodies = maxHeldBodies
