package sample

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// parseWish reads the query. Parameters that it does not know are left to the caller's own use.
func parseWish(r *http.Request) (wish, error) {
	q := r.URL.Query()
	w := wish{fail: q.Get("fail")}
	if w.fail != "" && w.fail != FailHead && w.fail != FailBody {
		return wish{}, fmt.Errorf("fail=%.40q, accepted is %s or %s", w.fail, FailHead, FailBody)
	}
	var err error
	if w.sleep, err = duration(q, "sleep", 0); err != nil {
		return wish{}, err
	}
	if w.interval, err = duration(q, "interval", DefaultStreamInterval); err != nil {
		return wish{}, err
	}
	if w.status, err = number(q, "status", bounds{200, 599, http.StatusOK}); err != nil {
		return wish{}, err
	}
	if w.stream, err = number(q, "stream", bounds{1, MaxStream, 0}); err != nil {
		return wish{}, err
	}
	return w, nil
}

func duration(q url.Values, name string, def time.Duration) (time.Duration, error) {
	if !q.Has(name) {
		return def, nil
	}
	d, err := time.ParseDuration(q.Get(name))
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s=%.40q, accepted is a duration such as 250ms", name, q.Get(name))
	}
	return d, nil
}

type bounds struct{ least, most, def int }

func number(q url.Values, name string, b bounds) (int, error) {
	if !q.Has(name) {
		return b.def, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < b.least || n > b.most {
		return 0, fmt.Errorf("%s=%.40q, accepted is %d to %d", name, q.Get(name), b.least, b.most)
	}
	return n, nil
}
