package server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"
)

// signature makes a token for uri that is good for so many seconds.
func signature(uri string, seconds int) string {
	expiry := fmt.Sprint(time.Now().Unix() + int64(seconds))
	resource := url.QueryEscape(uri)
	mac := hmac.New(sha256.New, []byte(testKey.Secret))
	mac.Write([]byte(resource + "\n" + expiry))
	sum := url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return "SharedAccessSignature sr=" + resource + "&sig=" + sum + "&se=" + expiry + "&skn=" + testKey.Name
}
