package contracttest

import (
	"reflect"
	"strings"
	"testing"
)

func TestStructThatDiffersFromItsSchemaIsSaid(t *testing.T) {
	type line struct {
		SKU       string `json:"sku"`
		Quantity  int    `json:"quantity"`
		UnitPrice string `json:"unitPrice"`
	}
	type newLine struct {
		SKU      string `json:"sku"`
		Quantity int    `json:"quantity"`
		Price    string `json:"price"`
	}
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.at("schemas/order.json", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		v    any
		want []string
	}{
		"the same": {struct {
			Currency string `json:"currency"`
			Lines    []line `json:"lines"`
		}{}, nil},
		"one more": {struct {
			Currency string `json:"currency"`
			Lines    []line `json:"lines"`
			Gift     bool   `json:"gift"`
		}{}, []string{"lacks gift"}},
		"one fewer": {struct {
			Currency string `json:"currency"`
		}{}, []string{"has lines"}},
		"left out at times": {struct {
			Currency string  `json:"currency,omitempty"`
			Lines    []*line `json:"lines"`
		}{}, []string{"requires currency"}},
		"deeper": {struct {
			Currency string    `json:"currency"`
			Lines    []newLine `json:"lines"`
		}{}, []string{"lacks price", "has unitPrice"}},
	} {
		got := d.compare(p, reflect.TypeOf(tc.v))
		if len(got) != len(tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
			continue
		}
		for i, want := range tc.want {
			if !strings.Contains(got[i].Error(), want) {
				t.Errorf("%s: %v, want %s", name, got[i], want)
			}
		}
	}
}
