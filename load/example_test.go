package load_test

import (
	"errors"
	"fmt"

	"github.com/limpet-proxy/limpet/load"
)

func ExampleParseSource() {
	for _, text := range []string{"header:x-served-by", "json:server.name", "none", "body:name"} {
		source, err := load.ParseSource(text)
		fmt.Println(source, source.IsZero(), errors.Is(err, load.ErrSource))
	}
	_, err := load.ParseSource("body:name")
	fmt.Println(err)
	// Output:
	// header:X-Served-By false false
	// json:server.name false false
	// none true false
	// none true true
	// not a place in a response: "body:name", accepted are header:NAME, json:FIELD (json:OUTER.INNER) and none
}

func ExampleParseCarrier() {
	for _, text := range []string{"header:x-session-id", "given:Mcp-Session-Id", "cookie"} {
		carrier, err := load.ParseCarrier(text)
		fmt.Println(carrier, err)
	}
	_, err := load.ParseCarrier("cookie:name")
	fmt.Println(err)
	fmt.Println(errors.Is(err, load.ErrCarrier))
	// Output:
	// header:X-Session-Id <nil>
	// given:Mcp-Session-Id <nil>
	// cookie <nil>
	// not a carrier of sessions: "cookie:name", accepted are header:NAME, given:NAME and cookie
	// true
}

func ExampleParseSpan() {
	for _, text := range []string{"1s", "500ms..2s", "0s"} {
		span, err := load.ParseSpan(text)
		fmt.Println(span, span.Least, span.Most, span.IsZero(), err)
	}
	_, err := load.ParseSpan("2s..1s")
	fmt.Println(err)
	fmt.Println(errors.Is(err, load.ErrSpan))
	// Output:
	// 1s 1s 1s false <nil>
	// 500ms..2s 500ms 2s false <nil>
	// 0s 0s 0s true <nil>
	// not a span of time: "2s..1s", accepted are a duration such as 1s and a range such as 500ms..2s
	// true
}
