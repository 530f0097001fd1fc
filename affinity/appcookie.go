package affinity

import (
	"fmt"
	"net/http"
)

// appCookieRule is sourcesRule with a cookie of the application's among the places: where none of them has an ID, the
// instance is to give one, with its Set-Cookie.
type appCookieRule struct {
	sourcesRule
	cookie string
}

func (a appCookieRule) Extract(r *http.Request) (Claim, error) {
	id, err := a.find(r)
	return Claim{ID: id, Reserve: id == "" && err == nil}, err
}

func (a appCookieRule) Forward(out http.Header, id string) { a.overwrite(out, id) }

// Respond tells the ID nowhere: it may be the cookie's value, which scripts in a page may not be meant to read
// (HttpOnly), and which the application tells itself.
func (a appCookieRule) Respond(h http.Header, _ Grant) {
	a.hush(h)
	if _, ok := learnCookie(h, a.cookie); ok {
		makePrivate(h)
	}
}

// Header returns "": IDs are told in no header.
func (a appCookieRule) Header() string { return "" }

// Learn returns the cookie's value, whatever the status: a browser keeps the cookie of an error as well.
func (a appCookieRule) Learn(res *http.Response) (string, error) {
	value, ok := learnCookie(res.Header, a.cookie)
	switch {
	case !ok:
		return "", nil
	case !validID(value):
		return "", fmt.Errorf("%w: cookie %s has %d bytes, accepted are 1 to %d letters, digits, _ and -, not beginning with -",
			ErrUnusable, a.cookie, len(value), MaxIDLength)
	}
	return value, nil
}

// Renamed returns the cookie's new value, which takes the old one's place where that was the ID. Where the response takes the cookie away, the session goes on: another of the
// browser's requests may be under way, and the instance knows best when it forgets.
func (a appCookieRule) Renamed(res *http.Response, id string) (next string, instead bool, err error) {
	next, err = a.Learn(res)
	if next == "" || next == id {
		return "", false, err
	}
	for value := range cookieValues(res.Request.Header["Cookie"], a.cookie) {
		instead = instead || value == id
	}
	return next, instead, nil
}
