// Package keda_test checks the manifests in this directory with KEDA's own types,
// and asks the session scaler itself what it thinks of its triggers: neither KEDA's
// CRDs nor a server-side dry run looks into a trigger's metadata.
package keda_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	"github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// serviceBusKeys are the metadata that KEDA's azure-servicebus scaler reads.
// Source: azureServiceBusMetadata in pkg/scalers/azure_servicebus_scaler.go of KEDA
// 2.21.0, and the same in schema/generated/scalers-schema.json.
var serviceBusKeys = []string{
	"queueName", "topicName", "subscriptionName", "namespace", "messageCount",
	"activationMessageCount", "useRegex", "operation", "connectionFromEnv",
}

// manifests are those of this directory, by file.
type manifests struct {
	jobs    map[string]v1alpha1.ScaledJob
	objects map[string]v1alpha1.ScaledObject
	auths   map[string]v1alpha1.TriggerAuthentication
}

// read decodes every file strictly: an unknown or repeated field fails the test.
func read(t *testing.T) manifests {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("manifests: %v, %v", files, err)
	}
	m := manifests{map[string]v1alpha1.ScaledJob{}, map[string]v1alpha1.ScaledObject{}, map[string]v1alpha1.TriggerAuthentication{}}
	for _, file := range files {
		if file == "kustomization.yaml" {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(raw, &kind); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if kind.APIVersion != v1alpha1.SchemeGroupVersion.String() {
			t.Errorf("%s: apiVersion is %s", file, kind.APIVersion)
		}
		switch kind.Kind {
		case "ScaledJob":
			m.jobs[file] = decode[v1alpha1.ScaledJob](t, file, raw)
		case "ScaledObject":
			m.objects[file] = decode[v1alpha1.ScaledObject](t, file, raw)
		case "TriggerAuthentication":
			m.auths[file] = decode[v1alpha1.TriggerAuthentication](t, file, raw)
		default:
			t.Errorf("%s: kind %s is not checked", file, kind.Kind)
		}
	}
	return m
}

func decode[T any](t *testing.T, file string, raw []byte) T {
	t.Helper()
	var v T
	if err := yaml.UnmarshalStrict(raw, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

// triggers are all triggers, by file.
func (m manifests) triggers() map[string][]v1alpha1.ScaleTriggers {
	all := map[string][]v1alpha1.ScaleTriggers{}
	for file, job := range m.jobs {
		all[file] = job.Spec.Triggers
	}
	for file, object := range m.objects {
		all[file] = object.Spec.Triggers
	}
	return all
}

func TestKustomizationListsEveryManifest(t *testing.T) {
	raw, err := os.ReadFile("kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := decode[struct {
		metav1.TypeMeta `json:",inline"`
		Namespace       string   `json:"namespace"`
		Resources       []string `json:"resources"`
	}](t, "kustomization.yaml", raw)
	want, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want = slices.DeleteFunc(want, func(f string) bool { return f == "kustomization.yaml" })
	if diff := cmp.Diff(want, got.Resources); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestTriggersAreComplete(t *testing.T) {
	m := read(t)
	auths := map[string]bool{}
	for _, a := range m.auths {
		auths[a.Name] = true
	}
	for file, triggers := range m.triggers() {
		if err := v1alpha1.ValidateTriggers(triggers); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, trigger := range triggers {
			if ref := trigger.AuthenticationRef; ref != nil && !auths[ref.Name] {
				t.Errorf("%s, trigger %s: there is no TriggerAuthentication %s", file, trigger.Name, ref.Name)
			}
			switch trigger.Type {
			case "azure-servicebus":
				for key := range trigger.Metadata {
					if !slices.Contains(serviceBusKeys, key) {
						t.Errorf("%s, trigger %s: KEDA does not know the key %s", file, trigger.Name, key)
					}
				}
				if trigger.AuthenticationRef == nil || trigger.Metadata["namespace"] == "" || trigger.Metadata["queueName"] == "" {
					t.Errorf("%s, trigger %s: needs authenticationRef, namespace and queueName", file, trigger.Name)
				}
			case "external", "external-push": // TestTheSessionScalerUnderstandsItsTriggers
			default:
				t.Errorf("%s: the metadata of trigger type %s are not checked", file, trigger.Type)
			}
		}
	}
}

func TestTheSessionScalerUnderstandsItsTriggers(t *testing.T) {
	scaler := startScaler(t)
	for file, triggers := range read(t).triggers() {
		for _, trigger := range triggers {
			if trigger.Type != "external" && trigger.Type != "external-push" {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := scaler.GetMetricSpec(ctx, &externalscaler.ScaledObjectRef{ScalerMetadata: trigger.Metadata})
			if err != nil {
				t.Errorf("%s, trigger %s: %v", file, trigger.Name, err)
			}
		}
	}
}

// startScaler builds and runs the session scaler. What a trigger's metadata mean is
// answered without Service Bus, so there is none.
func startScaler(t *testing.T) externalscaler.ExternalScalerClient {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sessionscaler")
	if out, err := exec.Command("go", "build", "-o", binary, "./sessionscaler").CombinedOutput(); err != nil {
		t.Fatalf("building the session scaler: %v\n%s", err, out)
	}
	cmd := exec.Command(binary)
	cmd.Env = []string{"SCALER_ADDR=127.0.0.1:0", "SERVICEBUS_CONNECTION_STRING=Endpoint=sb://127.0.0.1:1/;SharedAccessKeyName=k;SharedAccessKey=a2V5;UseDevelopmentEmulator=true"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the session scaler ended with %v", err)
		}
	})
	var line struct{ Msg, Addr string }
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&line); err != nil || line.Msg != "listening" {
		t.Fatalf("the session scaler's first line is %+v, %v", line, err)
	}
	conn, err := grpc.NewClient(line.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return externalscaler.NewExternalScalerClient(conn)
}

func TestScaledJobsAgreeWithTheirContainers(t *testing.T) {
	for file, job := range read(t).jobs {
		pod := job.Spec.JobTargetRef.Template.Spec
		if len(pod.Containers) != 1 || pod.Containers[0].Name != job.Name || pod.Containers[0].Image != job.Name {
			t.Errorf("%s: want one container, its name and image %s", file, job.Name)
			continue
		}
		if pod.RestartPolicy != corev1.RestartPolicyNever || job.Spec.JobTargetRef.BackoffLimit == nil || *job.Spec.JobTargetRef.BackoffLimit != 0 {
			t.Errorf("%s: a job must not be retried: backoffLimit 0, restartPolicy Never", file)
		}
		if job.Spec.JobTargetRef.ActiveDeadlineSeconds == nil {
			t.Errorf("%s: without activeDeadlineSeconds a job that hangs counts as running for ever", file)
		}
		if job.Spec.Rollout.Strategy != "gradual" {
			t.Errorf("%s: rollout strategy %q kills running jobs", file, job.Spec.Rollout.Strategy)
		}
		if s := job.Spec.ScalingStrategy.Strategy; s != "default" {
			t.Errorf("%s: strategy %q does not suit a count that includes the work in hand", file, s)
		}
		env := map[string]string{}
		for _, e := range pod.Containers[0].Env {
			env[e.Name] = e.Value
		}
		drain, err := time.ParseDuration(env["DRAIN_TIMEOUT"])
		if grace := pod.TerminationGracePeriodSeconds; err != nil || grace == nil || time.Duration(*grace)*time.Second <= drain {
			t.Errorf("%s: terminationGracePeriodSeconds must be more than DRAIN_TIMEOUT (%s, %v)", file, drain, err)
		}
		for _, trigger := range job.Spec.Triggers {
			if trigger.Type == "external-push" {
				t.Errorf("%s: KEDA does not push to a ScaledJob", file)
			}
			if got, want := trigger.Metadata["sessionsPerReplica"], env["SESSIONS_PER_WORKER"]; got != want {
				t.Errorf("%s: sessionsPerReplica is %q, SESSIONS_PER_WORKER %q", file, got, want)
			}
			perReplica, _ := strconv.Atoi(trigger.Metadata["sessionsPerReplica"])
			most, _ := strconv.Atoi(trigger.Metadata["maxSessions"])
			if most < perReplica*int(job.MaxReplicaCount()) {
				t.Errorf("%s: with maxSessions %d, maxReplicaCount %d is never reached", file, most, job.MaxReplicaCount())
			}
		}
	}
}

func TestScaledObjectsAreWithinKedasBounds(t *testing.T) {
	for file, object := range read(t).objects {
		if err := v1alpha1.CheckReplicaCountBoundsAreValid(&object); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if err := v1alpha1.CheckFallbackValid(&object); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if f := object.Spec.Fallback; f != nil && f.Replicas == 0 {
			t.Errorf("%s: with fallback replicas 0 an outage of a trigger scales to zero", file)
		}
	}
}
