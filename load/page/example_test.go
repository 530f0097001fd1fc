package page_test

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/load/page"
)

func ExampleWrite() {
	var file bytes.Buffer // or one that was opened by os.Create
	err := page.Write(&file, load.Report{
		Verdict:  load.Broken,
		Why:      "Responses came from elsewhere than home, and nothing had announced a move.",
		Affinity: load.Affinity{Judged: 1000, Misroutes: 748},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(regexp.MustCompile("<title>.*</title>").FindString(file.String()))
	// Output: <title>748 misroutes in 1,000 responses · limpet load</title>
}
