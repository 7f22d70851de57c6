package amqp

// A Terminus is a source or a target (§3.5.3, §3.5.4), kept as its fields so
// that an attach can be answered with what it asked for.
type Terminus struct {
	code  uint64
	items []any
}

const (
	codeSource uint64 = 0x28
	codeTarget uint64 = 0x29

	codeCoordinator uint64 = 0x30 // §4.5.1
)

// Positions of fields.
const (
	terminusAddress = 0
	sourceFilter    = 7
)

// NewSource is a source with nothing but an address.
func NewSource(address string) *Terminus { return &Terminus{codeSource, []any{address}} }

// NewTarget is a target with nothing but an address.
func NewTarget(address string) *Terminus { return &Terminus{codeTarget, []any{address}} }

// IsCoordinator says that the target is for transactions rather than messages.
func (t *Terminus) IsCoordinator() bool { return t != nil && t.code == codeCoordinator }

// Address names the node, or is empty.
func (t *Terminus) Address() string {
	if t == nil || t.IsCoordinator() || len(t.items) <= terminusAddress {
		return ""
	}
	s, _ := t.items[terminusAddress].(string)
	return s
}

// Filter is the filter set of a source.
func (t *Terminus) Filter() Map {
	if t == nil || t.code != codeSource || len(t.items) <= sourceFilter {
		return nil
	}
	m, _ := t.items[sourceFilter].(Map)
	return m
}

// WithFilter is t with another filter set.
func (t *Terminus) WithFilter(filter Map) *Terminus {
	items := make([]any, max(len(t.items), sourceFilter+1))
	copy(items, t.items)
	items[sourceFilter] = filter
	return &Terminus{code: t.code, items: items}
}

func (t *Terminus) value() any {
	if t == nil {
		return nil
	}
	return Described{t.code, t.items}
}
