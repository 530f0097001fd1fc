package signature_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/limpet-proxy/limpet/api/signature"
)

// The request is the one that Alibaba Cloud's documentation signs.
func ExampleParse() {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(`POST /?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai HTTP/1.1
Host: ecs.cn-shanghai.aliyuncs.com
x-acs-action: RunInstances
x-acs-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
x-acs-date: 2023-10-26T10:22:32Z
x-acs-signature-nonce: 3156853299f313e23d1673dc12e1703d
x-acs-version: 2014-05-26
Authorization: ACS3-HMAC-SHA256 Credential=YourAccessKeyId,`+
		`SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,`+
		`Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0

`, "\n", "\r\n"))))
	if err != nil {
		panic(err)
	}
	s, ok, err := signature.Parse(r)
	fmt.Println(s.Scheme, s.KeyID, ok, err)

	// The client claims the body's hash, so it need not have come for the signature to be checked.
	secrets := map[string]string{"YourAccessKeyId": "YourAccessKeySecret"}
	fmt.Println(s.Verify(r, []byte(secrets[s.KeyID]), s.Payload))
	body, err := io.ReadAll(s.Body(r.Body))
	fmt.Println(len(body), err)

	signed := time.Date(2023, 10, 26, 10, 22, 32, 0, time.UTC)
	fmt.Println(s.Fresh(signed.Add(time.Minute), signature.DefaultWindow))
	fmt.Println(errors.Is(s.Fresh(signed.Add(time.Hour), signature.DefaultWindow), signature.ErrExpired))
	// Output:
	// ACS3-HMAC-SHA256 YourAccessKeyId true <nil>
	// <nil>
	// 0 <nil>
	// <nil>
	// true
}
