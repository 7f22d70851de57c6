package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/config"
	"github.com/contoso/orders/local/servicebus/queue"
)

func TestProjectsQueuesAreRead(t *testing.T) {
	data, err := os.ReadFile("../../../infra/servicebus/queues.json")
	if err != nil {
		t.Fatal(err)
	}
	n, err := config.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := queue.New(n.Queues...); err != nil {
		t.Error(err)
	}
	want := queue.Settings{
		Name: "orders", RequiresSession: true, LockDuration: time.Minute, MaxDeliveryCount: 10,
		DefaultTTL: 14 * 24 * time.Hour, DeadLetterOnExpiry: true, DuplicateWindow: 10 * time.Minute,
		ForwardDeadLetters: "orders-dead",
	}
	if diff := cmp.Diff(want, n.Queues[0]); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for name, test := range map[string]struct {
		queues string // after "Queues":
		want   []string
	}{
		"unknown property":     {`[{"Name":"q","Properties":{"MaxSize":1}}]`, []string{`"q"`, "MaxSize"}},
		"wrong type":           {`[{"Name":"q","Properties":{"RequiresSession":"yes"}}]`, []string{`"q"`, "RequiresSession"}},
		"duration":             {`[{"Name":"q","Properties":{"LockDuration":"1m"}}]`, []string{`"q"`, "LockDuration", `"1m"`}},
		"no duration":          {`[{"Name":"q","Properties":{"DefaultMessageTimeToLive":"PT0S"}}]`, []string{`"q"`, "DefaultMessageTimeToLive"}},
		"lock too long":        {`[{"Name":"q","Properties":{"LockDuration":"PT6M"}}]`, []string{`"q"`, "LockDuration"}},
		"deliveries":           {`[{"Name":"q","Properties":{"MaxDeliveryCount":0}}]`, []string{`"q"`, "MaxDeliveryCount"}},
		"name used twice":      {`[{"Name":"q"},{"Name":"Q"}]`, []string{`"Q"`, "Name"}},
		"no name":              {`[{}]`, []string{"without a name"}},
		"forward to nowhere":   {`[{"Name":"q","Properties":{"ForwardTo":"x"}}]`, []string{`"q"`, "ForwardTo", `"x"`}},
		"dead to nowhere":      {`[{"Name":"q","Properties":{"ForwardDeadLetteredMessagesTo":"x"}}]`, []string{`"q"`, "ForwardDeadLetteredMessagesTo"}},
		"forwarding in a ring": {`[{"Name":"q","Properties":{"ForwardTo":"r"}},{"Name":"r","Properties":{"ForwardTo":"q"}}]`, []string{"ForwardTo", "hops"}},
		"topics":               {`[],"Topics":[{"Name":"t"}]`, []string{"Topics", "not supported"}},

		"dead to a dead-letter queue": {`[{"Name":"q","Properties":{"ForwardDeadLetteredMessagesTo":"q/$DeadLetterQueue"}}]`,
			[]string{`"q"`, "ForwardDeadLetteredMessagesTo"}},
		"forward to a dead-letter queue": {`[{"Name":"q","Properties":{"ForwardTo":"q/$DeadLetterQueue"}}]`, []string{`"q"`, "ForwardTo"}},
		"dead letters to and fro": {`[{"Name":"q","Properties":{"ForwardDeadLetteredMessagesTo":"r"}},
			{"Name":"r","Properties":{"ForwardDeadLetteredMessagesTo":"Q"}}]`,
			[]string{`"q"`, "ForwardDeadLetteredMessagesTo", "loop", `"q" to "r" to "q"`}},
		"dead letters forwarded back": {`[{"Name":"q","Properties":{"ForwardDeadLetteredMessagesTo":"r"}},
			{"Name":"r","Properties":{"ForwardTo":"q"}}]`,
			[]string{`"q"`, "ForwardDeadLetteredMessagesTo", `"q" to "r" to "q"`}},
		"dead letters back over others": {`[{"Name":"start","Properties":{"ForwardDeadLetteredMessagesTo":"q"}},
			{"Name":"q","Properties":{"ForwardDeadLetteredMessagesTo":"r"}},
			{"Name":"r","Properties":{"ForwardTo":"s"}},
			{"Name":"s","Properties":{"ForwardDeadLetteredMessagesTo":"t"}},
			{"Name":"t","Properties":{"ForwardTo":"q"}}]`,
			[]string{`"q"`, "ForwardDeadLetteredMessagesTo", `"q" to "r" to "s" to "t" to "q"`}},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := config.Parse([]byte(`{"UserConfig":{"Namespaces":[{"Name":"n","Queues":` + test.queues + `}]}}`))
			if err == nil {
				_, err = queue.New(n.Queues...)
			}
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v does not name %s", err, want)
				}
			}
		})
	}
}
