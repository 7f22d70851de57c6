package devonly_test

import (
	"strings"
	"testing"

	"github.com/contoso/orders/local/devonly"
)

func TestProductionIsRefused(t *testing.T) {
	err := devonly.Config{AppEnv: "production"}.Check("127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "APP_ENV=production") {
		t.Errorf("error = %v", err)
	}
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:1": true, "[::1]:0": true, "localhost:80": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "192.168.1.2:80": false,
		"example.com:80": false, "127.0.0.1": false, "": false, "localhost.example.com:80": false,
	} {
		if err := (devonly.Config{}).Check(addr); (err == nil) != want {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
