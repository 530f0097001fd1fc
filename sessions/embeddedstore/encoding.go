package embeddedstore

import "encoding/binary"

// encoder appends values in a compact binary form: varints, and strings after their length.
type encoder []byte

func (e *encoder) uint(v uint64)   { *e = binary.AppendUvarint(*e, v) }
func (e *encoder) int(v int64)     { *e = binary.AppendVarint(*e, v) }
func (e *encoder) micros(m micros) { e.int(int64(m)) }

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	*e = append(*e, s...)
}

func (e *encoder) bool(v bool) {
	b := byte(0)
	if v {
		b = 1
	}
	*e = append(*e, b)
}

// decoder reads what an encoder wrote. After a value that is not there it is bad and returns zero values; the
// caller looks once, at the end.
type decoder struct {
	b    []byte
	bad  bool
	seen map[string]string // one copy of each string that many records share
}

func (d *decoder) fail() {
	d.b, d.bad = nil, true
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) micros() micros { return micros(d.int()) }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool {
	v := d.byte()
	if v > 1 {
		d.fail()
	}
	return v == 1
}

// bytes returns the next n bytes without copying them: a length that was made up allocates nothing.
func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes()) }

// shared returns a string that many records have in common, such as a qualifier.
func (d *decoder) shared() string {
	b := d.bytes()
	if s, ok := d.seen[string(b)]; ok {
		return s
	}
	s := string(b)
	if d.seen != nil {
		d.seen[s] = s
	}
	return s
}
