package proxy_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/limpet-proxy/limpet/proxy"
)

// Another listener, which has found out who calls, hands invocations on.
func ExampleHandler_Invoke() {
	h := proxy.NewHandler(slog.New(slog.DiscardHandler), nil)
	h.Swap(proxy.Plane{Routes: proxy.NewRoutes(nil)}) // no functions
	w := httptest.NewRecorder()
	h.Invoke(w, httptest.NewRequest(http.MethodPost, "/runtimes/counter/invocations", nil))
	fmt.Println(w.Code, w.Header().Get("X-Amzn-Errortype"), w.Header().Get("Limpet-Error"))
	// Output: 404 ResourceNotFoundException FunctionNotFound
}
