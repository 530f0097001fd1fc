package signature

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

const (
	sigV4Prefix     = "x-amz-"
	sigV4Payload    = "x-amz-content-sha256"
	sigV4Date       = "x-amz-date"
	sigV4Layout     = "20060102T150405Z"
	sigV4Day        = "20060102"
	sigV4Terminator = "aws4_request"
)

func sigV4() rules {
	return rules{
		prefix:   sigV4Prefix,
		required: []string{"host"},
		date:     sigV4Time,
		payload:  sigV4Payload,
		unsigned: true,
		value:    collapse,
		path:     sigV4Path,
		query:    sigV4Query,
		sign:     sigV4Sign,
	}
}

// sigV4Time reads X-Amz-Date or else Date. Either is covered, named in SignedHeaders or not: sigV4Sign signs the time.
func sigV4Time(r *http.Request) (time.Time, error) {
	if len(r.Header.Values(sigV4Date)) > 0 {
		return exactTime(r, sigV4Date, sigV4Layout)
	}
	t, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return time.Time{}, malformed(sigV4Date + " is missing")
	}
	return t.UTC(), nil
}

// sigV4Path escapes the path as sent once more, which every service but S3 asks for: an ARN's %3A becomes %253A. Dot
// segments and doubled slashes stay, as the SDK for Go leaves them. Those for Python and JavaScript sign the path
// without: their signature of such a path, which no operation has, would be that of another path, and does not match.
func sigV4Path(path string) (string, error) { return escape(path, "/"), nil }

func sigV4Query(all []parameter) (string, error) {
	for i, p := range all {
		all[i] = parameter{escape(p.name, ""), escape(p.value, "")}
	}
	return join(all), nil
}

// collapse makes one space of several, and none at the ends.
func collapse(value string) string {
	value = strings.TrimSpace(value)
	if !strings.Contains(value, "  ") {
		return value
	}
	return strings.Join(strings.FieldsFunc(value, func(c rune) bool { return c == ' ' }), " ")
}

func sigV4Sign(s Signed, secret []byte, canonical string) string {
	day := s.Time.Format(sigV4Day)
	key := append([]byte("AWS4"), secret...)
	for _, part := range []string{day, s.Region, s.Service, sigV4Terminator} {
		key = mac(key, part)
	}
	scope := strings.Join([]string{day, s.Region, s.Service, sigV4Terminator}, "/")
	return hex.EncodeToString(mac(key, strings.Join([]string{string(SigV4), s.Time.Format(sigV4Layout), scope, hash(canonical)}, "\n")))
}
