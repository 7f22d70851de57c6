package scale

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const emulator = "Endpoint=sb://127.0.0.1:1/;SharedAccessKeyName=k;SharedAccessKey=a2V5;UseDevelopmentEmulator=true"

// newScaler makes a scaler of one manifest.
func newScaler(t *testing.T, manifest string) (*Scaler, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "worker.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	return New(Options{Manifests: dir, Launcher: &fakeLauncher{}, ConnectionString: emulator, Management: http.DefaultClient, ScalerAddress: "127.0.0.1:1"})
}

const goodJob = `apiVersion: keda.sh/v1alpha1
kind: ScaledJob
metadata: {name: worker}
spec:
  pollingInterval: 2
  maxReplicaCount: 25
  triggers:
    - {type: external, name: sessions, metadata: {scalerAddress: "s:9000", queueName: orders}}
  jobTargetRef:
    template:
      spec:
        containers:
          - {name: sidecar, image: sidecar, env: [{name: LEVEL, value: debug}]}
          - name: worker
            image: worker
            env:
              - {name: IDLE_EXIT, value: 10s}
              - {name: KEY, valueFrom: {secretKeyRef: {name: s, key: k}}}
`

const goodObject = `apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: worker-scaling}
spec:
  scaleTargetRef: {name: worker}
  triggers:
    - {type: azure-servicebus, name: depth, metadata: {queueName: orders, messageCount: "200"}}
`

func TestAScaledJobIsRead(t *testing.T) {
	s, err := newScaler(t, goodJob+"---\nkind: TriggerAuthentication\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"worker"}, s.Functions()); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
	m := s.workloads["worker"].manifest
	if !m.job || m.polling != 2*time.Second || m.min != 0 || m.max != 25 {
		t.Errorf("manifest = %+v", m)
	}
	if diff := cmp.Diff([]string{"IDLE_EXIT=10s"}, m.env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestAScaledObjectIsReadWithKedasDefaults(t *testing.T) {
	s, err := newScaler(t, goodObject)
	if err != nil {
		t.Fatal(err)
	}
	m := s.workloads["worker"].manifest
	if m.job || m.polling != 30*time.Second || m.cooldown != 5*time.Minute || m.min != 0 || m.max != 100 {
		t.Errorf("manifest = %+v", m)
	}
}

func TestABadManifestIsRefusedByName(t *testing.T) {
	for _, c := range []struct{ name, manifest, old, new, want string }{
		{"unknown trigger type", goodObject, "azure-servicebus", "kafka", "trigger depth: type kafka"},
		{"trigger without a name", goodObject, "azure-servicebus, name: depth", "kafka", "trigger 0 (kafka)"},
		{"unknown field", goodJob, "pollingInterval", "pollInterval", "pollInterval"},
		{"no container of that name", goodJob, "name: worker\n            image", "name: other\n            image", "no container worker"},
		{"another strategy", goodJob, "  maxReplicaCount: 25", "  scalingStrategy: {strategy: accurate}", "accurate"},
		{"push to a job", goodJob, "type: external", "type: external-push", "use type external"},
		{"no queue", goodObject, "queueName: orders", "topicName: orders", "queueName is missing"},
		{"a number that is none", goodObject, `"200"`, `"many"`, "messageCount must be a whole number"},
		{"metric type", goodObject, "type: azure-servicebus", "type: azure-servicebus, metricType: Value", "metricType Value"},
		{"replica counts", goodJob, "maxReplicaCount: 25", "{maxReplicaCount: 1, minReplicaCount: 2}", ""},
		{"idle replicas", goodObject, "  scaleTargetRef", "  idleReplicaCount: 0\n  scaleTargetRef", "idleReplicaCount"},
		{"two manifests", goodJob + "---\n" + goodObject, "nothing", "", "two manifests"},
		{"none at all", "kind: Kustomization\n", "nothing", "", "no ScaledJob"},
	} {
		_, err := newScaler(t, strings.Replace(c.manifest, c.old, c.new, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want one that says %q", c.name, err, c.want)
			continue
		}
		if c.name != "none at all" && !strings.Contains(err.Error(), "worker.yaml") {
			t.Errorf("%s: error = %v, want one that names the file", c.name, err)
		}
	}
}
