package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/config"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
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
		DefaultTTL: 14 * 24 * time.Hour, DeadLetterOnExpiry: true,
		DetectDuplicates: true, DuplicateWindow: 10 * time.Minute,
		ForwardDeadLetters: "orders-dead",
	}
	if diff := cmp.Diff(want, n.Queues[0]); diff != "" {
		t.Error(diff)
	}
}

func TestDefaultHasTwoQueuesToTry(t *testing.T) {
	n, err := config.Parse(config.Default)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Namespace{Name: "local", Queues: []queue.Settings{
		{Name: "queue.1", DefaultTTL: time.Hour, DuplicateWindow: 20 * time.Second, LockDuration: time.Minute, MaxDeliveryCount: 3},
		{Name: "session-queue.1", RequiresSession: true, LockDuration: time.Minute, MaxDeliveryCount: 10},
	}}
	if diff := cmp.Diff(want, n); diff != "" {
		t.Error(diff)
	}
	starts(t, n)
}

func starts(t *testing.T, n config.Namespace) {
	t.Helper()
	b, err := queue.New(n.Queues...)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
}

// As people have them for the emulator: all properties written out, no topics,
// logging, and a byte order mark.
const emulators = "\ufeff" + `{"UserConfig": {
	"Namespaces": [{"Name": "sbemulatorns", "Queues": [{"Name": "queue.1", "Properties": {
		"DeadLetteringOnMessageExpiration": false, "DefaultMessageTimeToLive": "P10675199DT2H48M5.4775807S",
		"DuplicateDetectionHistoryTimeWindow": "", "ForwardDeadLetteredMessagesTo": "", "ForwardTo": "",
		"LockDuration": "", "MaxDeliveryCount": 3, "RequiresDuplicateDetection": true, "RequiresSession": false
	}}], "Topics": []}],
	"Logging": {"Type": "File", "Level": 1}
}}`

func TestEmulatorsFilesAreRead(t *testing.T) {
	n, err := config.Parse([]byte(emulators))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Namespace{Name: "sbemulatorns", Queues: []queue.Settings{{Name: "queue.1", DetectDuplicates: true, MaxDeliveryCount: 3}}}
	if diff := cmp.Diff(want, n); diff != "" {
		t.Error(diff)
	}
	starts(t, n)
}

func TestWhatGoesBeyondTheEmulatorIsRead(t *testing.T) {
	n, err := config.Parse([]byte(`{"UserConfig": {"Namespaces": [{
		"Name": "n",
		"AuthorizationRules": [{"KeyName": "all", "PrimaryKey": "a", "SecondaryKey": "b", "Rights": ["Manage", "Listen", "Send"]}],
		"Queues": [{"Name": "q", "Properties": {
			"EnablePartitioning": true, "MaxSizeInMegabytes": 5120, "MaxMessageSizeInKilobytes": 256, "Status": "SendDisabled",
			"AutoDeleteOnIdle": "PT10M", "UserMetadata": "ours", "EnableBatchedOperations": false,
			"AuthorizationRules": [{"KeyName": "one", "PrimaryKey": "c", "Rights": ["Send"]}]
		}}]
	}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Namespace{
		Name:  "n",
		Rules: []sas.Rule{{Name: "all", Primary: "a", Secondary: "b", Rights: sas.Manage | sas.Listen | sas.Send}},
		Queues: []queue.Settings{{
			Name: "q", Partitioned: true, MaxBytes: 5 << 30, MaxMessageBytes: 256 << 10, Status: queue.StatusSendDisabled,
			AutoDelete: 10 * time.Minute, UserMetadata: "ours", UnbatchedOperations: true,
			Rules: []sas.Rule{{Name: "one", Primary: "c", Rights: sas.Send}},
		}},
	}
	if diff := cmp.Diff(want, n); diff != "" {
		t.Error(diff)
	}
	starts(t, n)
}

func TestMistakesAreNamed(t *testing.T) {
	for name, test := range map[string]struct {
		queues string // after "Queues":
		want   []string
	}{
		"rule without rights":  {`[{"Name":"q","Properties":{"AuthorizationRules":[{"KeyName":"k","PrimaryKey":"p"}]}}]`, []string{`"q"`, "AuthorizationRules", `"k"`}},
		"rule without a key":   {`[{"Name":"q","Properties":{"AuthorizationRules":[{"KeyName":"k","Rights":["Send"]}]}}]`, []string{`"q"`, "AuthorizationRules", `"k"`, "PrimaryKey"}},
		"unknown right":        {`[{"Name":"q","Properties":{"AuthorizationRules":[{"KeyName":"k","PrimaryKey":"p","Rights":["Read"]}]}}]`, []string{`"q"`, "AuthorizationRules", `"k"`, `"Read"`}},
		"rule of a namespace":  {`[],"AuthorizationRules":[{"KeyName":"k","PrimaryKey":"p","Rights":["Manage"]}]`, []string{`namespace "n"`, "AuthorizationRules", `"k"`, "Manage"}},
		"no size":              {`[{"Name":"q","Properties":{"MaxSizeInMegabytes":0}}]`, []string{`"q"`, "MaxSizeInMegabytes"}},
		"endless size":         {`[{"Name":"q","Properties":{"MaxSizeInMegabytes":9007199254740993}}]`, []string{`"q"`, "MaxSizeInMegabytes"}},
		"message size":         {`[{"Name":"q","Properties":{"MaxMessageSizeInKilobytes":102401}}]`, []string{`"q"`, "MaxMessageSizeInKilobytes"}},
		"status":               {`[{"Name":"q","Properties":{"Status":"Off"}}]`, []string{`"q"`, "Status", `"Off"`}},
		"deleted too soon":     {`[{"Name":"q","Properties":{"AutoDeleteOnIdle":"PT1M"}}]`, []string{`"q"`, "AutoDeleteOnIdle"}},
		"endless metadata":     {`[{"Name":"q","Properties":{"UserMetadata":"` + strings.Repeat("x", 1025) + `"}}]`, []string{`"q"`, "UserMetadata"}},
		"forward with session": {`[{"Name":"q","Properties":{"RequiresSession":true,"ForwardTo":"r"}},{"Name":"r"}]`, []string{`"q"`, "ForwardTo"}},
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
		"topics":               {`[],"Topics":[{"Name":"t"}]`, []string{"Topics", "not supported", "remove"}},

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
