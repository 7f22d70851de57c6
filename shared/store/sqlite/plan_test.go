package sqlite

import (
	"strings"
	"testing"
	"time"
)

func TestEveryStatementFindsItsRowsByIndex(t *testing.T) {
	databaseURL := "sqlite://" + t.TempDir() + "/orders.db"
	if _, err := Migrate(t.Context(), databaseURL, func(int64, string, time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })

	for name, tc := range map[string]struct {
		sql  string
		args []any
		want string // the step that reads orders or order_lines
	}{
		"replay": {replaySQL, []any{"[]", ""}, "SEARCH orders USING INDEX sqlite_autoindex_orders_1 (customer=? AND nonce=?)"},
		"lines":  {insertLinesSQL, []any{"[]", 1}, "SEARCH o USING COVERING INDEX sqlite_autoindex_orders_1 (customer=? AND nonce=? AND rowid>?)"},
		"stored": {storedSQL, []any{"[]"}, "SEARCH o USING INDEX sqlite_autoindex_orders_1 (customer=? AND nonce=?)"},
		"insert": {insertSQL, []any{"[]", ""}, "SEARCH t USING PRIMARY KEY (customer=? AND nonce=?)"},
		"graves": {tombstonesSQL, []any{"[]"}, "SEARCH t USING PRIMARY KEY (customer=? AND nonce=?)"},
		"purged": {purgedSQL, []any{"", 1}, "SEARCH order_tombstones USING PRIMARY KEY (customer=? AND nonce=?)"},
		"entomb": {entombSQL, []any{"", 1, ""}, "SEARCH orders USING COVERING INDEX orders_completed (completed_at<?)"},
		"purge":  {purgeLinesSQL, []any{"", 1}, "SEARCH order_lines USING PRIMARY KEY (order_id=?)"},
		"erase":  {eraseOrdersSQL, []any{"", 1}, "SEARCH orders USING COVERING INDEX orders_newest (customer=?)"},
		"get":    {getSQL, []any{"", 1}, "SEARCH o USING INDEX sqlite_autoindex_orders_1 (customer=? AND nonce=?)"},
		"list":   {listSQL, []any{"", 1, 1}, "SEARCH o USING INDEX orders_newest (customer=? AND order_id<?)"},
	} {
		t.Run(name, func(t *testing.T) {
			var steps []struct {
				ID, Parent, NotUsed int
				Detail              string
			}
			if err := s.writer.SelectContext(t.Context(), &steps, "EXPLAIN QUERY PLAN "+tc.sql, tc.args...); err != nil {
				t.Fatal(err)
			}
			var plan []string
			for _, step := range steps {
				plan = append(plan, step.Detail)
			}
			if got := strings.Join(plan, "\n"); !strings.Contains(got, tc.want) {
				t.Errorf("plan:\n%s\nwant %s", got, tc.want)
			}
		})
	}
}
