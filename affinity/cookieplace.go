package affinity

import "net/http"

// cookiePlace is a cookie that the application itself sets. Its value is the ID as it stands: quotes belong to it.
type cookiePlace struct{ name string }

func (c cookiePlace) find(r *http.Request) (string, error) {
	given, value := 0, ""
	for v := range cookieValues(r.Header["Cookie"], c.name) {
		given++
		value = v
	}
	if given == 0 {
		return "", nil
	}
	return checked("cookie "+c.name, value, given)
}
