package configs_test

import (
	"fmt"
	"os"

	"github.com/limpet-proxy/limpet/configs"
)

func ExampleLoad() {
	loaded, err := configs.Load("quickstart.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(loaded.Config.Functions[0].Name, loaded.Config.Listen)
	// Output: counter 127.0.0.1:8080
}

func ExampleParse() {
	_, err := configs.Parse("limpet.yaml", []byte(`functions:
  - name: counter
    sessions: {ttl: 6 hours, per_instances: 20}
    instances: {static: [{id: a, url: "http://127.0.0.1:${PORT}"}]}
`), func(string) (string, bool) { return "", false })
	fmt.Println(err)
	// Output:
	// limpet.yaml:3:21: functions[0].sessions.ttl: "6 hours" is not a duration, accepted is a duration such as 500ms, 30s, 5m or 6h; 0 needs no unit
	// limpet.yaml:3:30: functions[0].sessions.per_instances: is an unknown key, did you mean per_instance? Accepted are ttl, idle_timeout, per_instance, isolation, disable_id_reuse
	// limpet.yaml:4:39: functions[0].instances.static[0].url: the variable PORT is not set, accepted is a variable of the environment, or $${PORT} for the text ${PORT}
}

func ExampleConfig_Print() {
	if err := configs.Default().Print(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// listen: 127.0.0.1:8080
	// h2c: false
	// admin: 127.0.0.1:9090
	// deployment: limpet
	// trusted_proxies: []
	// shutdown:
	//   delay: 2s
	//   deadline: 30s
	// limits:
	//   header_bytes: 32KiB
	//   header_timeout: 5s
	//   streams: 1000
	// access_log:
	//   enabled: true
	//   sample: 1
	// auth:
	//   keys: []
	// session_api:
	//   max_ttl:
	//     fc: 6h
	//     agentcore: 8h
	// store:
	//   kind: embedded
	//   path: ""
	//   redis:
	//     addrs: [127.0.0.1:6379]
	//     master_name: ""
	//     username: ""
	//     password_file: ""
	//     tls: false
	//     key_prefix: limpet
	//     on_outage: bounded
	//     stale_max: 30s
	// cache:
	//   sessions: 100000
	// functions: []
}

func ExampleNeedsRestart() {
	old, now := configs.Default(), configs.Default()
	now.Listen, now.Shutdown.Delay = "127.0.0.1:8888", 0
	fmt.Println(configs.NeedsRestart(old, now))
	// Output: [listen]
}
