package scale

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// KEDA's defaults, in seconds and replicas.
const (
	defaultPolling     = 30
	defaultCooldown    = 300
	defaultMaxReplicas = 100
)

// manifest is what a ScaledJob or a ScaledObject says.
type manifest struct {
	file     string
	function string
	job      bool // a ScaledJob; otherwise a ScaledObject
	env      []string
	polling  time.Duration
	cooldown time.Duration // of a ScaledObject
	min, max int
	triggers []v1alpha1.ScaleTriggers
}

// load reads the manifests in a directory, in the order of their file names.
func load(dir string) ([]manifest, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("listing manifests: %w", err)
	}
	var all []manifest
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading manifest: %w", err)
		}
		list, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, m := range list {
			m.file = file
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no ScaledJob and no ScaledObject", dir)
	}
	return all, nil
}

// parse reads the documents of one file. Other kinds than KEDA's two are skipped.
func parse(raw []byte) ([]manifest, error) {
	var list []manifest
	for documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return nil, err
		}
		var m manifest
		switch kind.Kind {
		case "ScaledJob":
			m, err = parseJob(document)
		case "ScaledObject":
			m, err = parseObject(document)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind.Kind, m.function, err)
		}
		list = append(list, m)
	}
}

func parseJob(document []byte) (manifest, error) {
	var job v1alpha1.ScaledJob
	if err := yaml.UnmarshalStrict(document, &job); err != nil {
		return manifest{}, err
	}
	m := manifest{
		function: job.Name, job: true, polling: seconds(job.Spec.PollingInterval, defaultPolling),
		min: number(job.Spec.MinReplicaCount, 0), max: number(job.Spec.MaxReplicaCount, defaultMaxReplicas),
		triggers: job.Spec.Triggers,
	}
	if s := job.Spec.ScalingStrategy; s.Strategy != "" && s.Strategy != "default" || s.MultipleScalersCalculation != "" && s.MultipleScalersCalculation != "max" {
		return m, fmt.Errorf("scaling strategy %q %q is not supported here, only default and max", s.Strategy, s.MultipleScalersCalculation)
	}
	if job.Spec.JobTargetRef == nil {
		return m, errors.New("has no jobTargetRef")
	}
	containers := job.Spec.JobTargetRef.Template.Spec.Containers
	i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == job.Name })
	if i < 0 {
		return m, fmt.Errorf("has no container %s", job.Name)
	}
	for _, e := range containers[i].Env {
		if e.ValueFrom == nil { // secrets and the like are the launcher's own
			m.env = append(m.env, e.Name+"="+e.Value)
		}
	}
	return m, m.check()
}

func parseObject(document []byte) (manifest, error) {
	var object v1alpha1.ScaledObject
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		return manifest{}, err
	}
	m := manifest{
		function: object.Name, polling: seconds(object.Spec.PollingInterval, defaultPolling),
		cooldown: seconds(object.Spec.CooldownPeriod, defaultCooldown),
		min:      number(object.Spec.MinReplicaCount, 0), max: number(object.Spec.MaxReplicaCount, defaultMaxReplicas),
		triggers: object.Spec.Triggers,
	}
	switch {
	case object.Spec.ScaleTargetRef == nil:
		return m, errors.New("has no scaleTargetRef")
	case object.IsUsingModifiers():
		return m, errors.New("scalingModifiers are not supported here")
	case object.Spec.IdleReplicaCount != nil:
		return m, errors.New("idleReplicaCount is not supported here")
	}
	m.function = object.Spec.ScaleTargetRef.Name
	return m, m.check()
}

// check refuses what would be scaled otherwise than KEDA does.
func (m manifest) check() error {
	if err := v1alpha1.ValidateTriggers(m.triggers); err != nil {
		return err
	}
	if m.polling <= 0 || m.min < 0 || m.max < 1 || m.min > m.max {
		return fmt.Errorf("pollingInterval %v, minReplicaCount %d and maxReplicaCount %d do not agree", m.polling, m.min, m.max)
	}
	for i, t := range m.triggers {
		switch {
		case t.MetricType != "" && t.MetricType != autoscalingv2.AverageValueMetricType:
			return fmt.Errorf("trigger %s: metricType %s is not supported here", triggerName(t, i), t.MetricType)
		case t.Type == pushTrigger && m.job:
			return fmt.Errorf("trigger %s: KEDA does not push to a ScaledJob, use type external", triggerName(t, i))
		}
	}
	return nil
}

// triggerName is how errors and logs call a trigger.
func triggerName(t v1alpha1.ScaleTriggers, index int) string {
	return cmp.Or(t.Name, fmt.Sprintf("%d (%s)", index, t.Type))
}

func seconds(n *int32, otherwise int) time.Duration {
	return time.Duration(number(n, otherwise)) * time.Second
}

func number(n *int32, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return int(*n)
}
