package affinity

// NewEndpointReader returns a reader of the ID in these query parameters.
func NewEndpointReader(params ...string) *EndpointReader {
	return newEndpointReader(newSSERule(Config{SSEParams: params}).params)
}
