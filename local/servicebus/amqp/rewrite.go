package amqp

import (
	"encoding/binary"
	"fmt"
	"time"
)

// A Rewrite is what a broker changes in a message it passes on (§3.2).
type Rewrite struct {
	DeliveryCount         uint32        // of the header: earlier, unsuccessful deliveries
	TTL                   time.Duration // of the header; zero leaves it out
	DeliveryAnnotations   Map           // ours; those of the hop before are dropped
	Annotations           Map           // replace or join the message annotations
	ApplicationProperties Map           // replace or join the application properties
}

// Append writes the message after b. Delivery annotations are meant for the
// next hop alone (§3.2.2).
func (r *Rewrite) Append(b, encoded []byte) ([]byte, error) {
	var durable, priority any
	var annotations []byte
	at := encoded
	for len(at) > 0 {
		s, rest, err := nextSection(at)
		if err != nil {
			return nil, err
		}
		if s.code >= sectionProperties {
			break
		}
		switch s.code {
		case sectionHeader:
			l, err := s.list()
			if err != nil {
				return nil, err
			}
			durable, priority = optional(maybe[bool](l, 0)), optional(maybe[uint8](l, 1))
		case sectionMessageAnnotations:
			annotations = s.value
		}
		at = rest
	}
	var ttl any
	if r.TTL > 0 {
		ttl = uint32(min(r.TTL.Milliseconds(), int64(^uint32(0))))
	}
	b = appendDescribedList(b, sectionHeader, []any{durable, priority, ttl, nil, r.DeliveryCount})
	if len(r.DeliveryAnnotations) > 0 {
		b = Append(appendDescriptor(b, sectionDeliveryAnnotations), r.DeliveryAnnotations)
	}
	b, err := appendMerged(appendDescriptor(b, sectionMessageAnnotations), annotations, r.Annotations)
	if err != nil {
		return nil, err
	}
	if len(r.ApplicationProperties) == 0 {
		return append(b, at...), nil
	}
	return r.appendProperties(b, at)
}

// appendProperties copies the sections from properties on, merging into the
// application properties, which come right after the properties (§3.2).
func (r *Rewrite) appendProperties(b, encoded []byte) ([]byte, error) {
	var existing []byte
	for len(encoded) > 0 {
		s, rest, err := nextSection(encoded)
		if err != nil {
			return nil, err
		}
		if s.code > sectionApplicationProperties {
			break
		}
		if s.code == sectionProperties {
			b = append(b, s.encoded...)
		} else {
			existing = s.value
		}
		encoded = rest
	}
	b, err := appendMerged(appendDescriptor(b, sectionApplicationProperties), existing, r.ApplicationProperties)
	if err != nil {
		return nil, err
	}
	return append(b, encoded...), nil
}

// appendMerged writes the map that is encoded in existing (or none), with
// the entries of changes in place of its own. Entries that stay are copied
// octet for octet.
func appendMerged(b, existing []byte, changes Map) ([]byte, error) {
	b, at := open(b, codeMap32, 0)
	n := 2 * len(changes)
	if len(existing) > 0 && existing[0] != codeNull {
		d := NewDecoder(existing)
		code, _ := d.constructor()
		body, err := d.body(code)
		if err != nil {
			return nil, err
		}
		if code != codeMap8 && code != codeMap32 {
			return nil, fmt.Errorf("%w: constructor %#02x where a map belongs", ErrMalformed, code)
		}
		in := NewDecoder(body)
		count, err := in.count(code == codeMap32)
		if err != nil {
			return nil, err
		}
		for range count / 2 {
			entry := in.Rest()
			key, err := in.Value()
			if err != nil {
				return nil, err
			}
			if err := in.Skip(); err != nil {
				return nil, err
			}
			name, _ := text(key)
			if _, changed := changes.Lookup(name); changed {
				continue
			}
			b = append(b, entry[:len(entry)-len(in.Rest())]...)
			n += 2
		}
	}
	for _, e := range changes {
		b = Append(Append(b, e.Key), e.Value)
	}
	binary.BigEndian.PutUint32(b[at+4:], uint32(n))
	return closed(b, at), nil
}
