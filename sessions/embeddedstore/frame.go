package embeddedstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/limpet-proxy/limpet/sessions"
)

// A file is a header and frames. A frame is the magic bytes, the length of its entries, the CRC-32C of length and
// entries, and the entries; all of one group commit. A frame is written only when the one before is on disk, so a
// crash can leave no more than one broken frame, the last: a broken one with a whole one after it has rotted.
const (
	frameHead  = 12
	headerSize = 16
	// formatVersion is of the entries and of all around them.
	formatVersion = 2
	logMagic      = "LIMPETWL"
	snapMagic     = "LIMPETSN"
	frameMagic    = "\xf5LP\xf7" // no UTF-8, so that no text that a client sends can look like a frame
)

// castagnoli is computed by the processor.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header returns the first bytes of a file.
func header(magic string) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(magic), formatVersion)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// checkHeader says what is wrong with the first bytes of a file.
func checkHeader(b []byte, magic string) error {
	if len(b) < headerSize || string(b[:8]) != magic || binary.LittleEndian.Uint32(b[12:]) != crc32.Checksum(b[:12], castagnoli) {
		return fmt.Errorf("%w: not a file of this store, at offset 0", sessions.ErrCorrupt)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return fmt.Errorf("format version %d, this program reads %d only", v, formatVersion)
	}
	return nil
}

// seal fills in the head of a frame whose entries stand after frameHead free bytes.
func seal(b []byte) {
	copy(b, frameMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-frameHead))
	binary.LittleEndian.PutUint32(b[8:], frameSum(b))
}

func frameSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[4:8], castagnoli), castagnoli, b[frameHead:])
}

// cutFrame returns the first frame of b, whole and with a right checksum, and what follows.
func cutFrame(b []byte) (frame, rest []byte, ok bool) {
	if len(b) <= frameHead || string(b[:4]) != frameMagic {
		return nil, b, false
	}
	n := uint64(binary.LittleEndian.Uint32(b[4:]))
	if n == 0 || n > uint64(len(b)-frameHead) {
		return nil, b, false
	}
	frame = b[:frameHead+n]
	if binary.LittleEndian.Uint32(b[8:]) != frameSum(frame) {
		return nil, b, false
	}
	return frame, b[len(frame):], true
}

// anyFrame says whether a whole frame stands anywhere in b.
func anyFrame(b []byte) bool {
	for {
		i := bytes.Index(b, []byte(frameMagic))
		if i < 0 {
			return false
		}
		b = b[i:]
		if _, _, ok := cutFrame(b); ok {
			return true
		}
		b = b[1:]
	}
}

// readFrames hands the entries of each frame of a file's content to apply. It returns how many bytes are whole;
// less than all of them only if a torn tail follows and may. The error names the offset.
func readFrames(b []byte, mayTear bool, apply func(entries []byte) error) (whole int, err error) {
	rest := b[headerSize:]
	for len(rest) > 0 {
		at := len(b) - len(rest)
		frame, after, ok := cutFrame(rest)
		if !ok {
			if mayTear && !anyFrame(rest[1:]) {
				return at, nil
			}
			return at, fmt.Errorf("%w: wrong checksum at offset %d", sessions.ErrCorrupt, at)
		}
		if err := apply(frame[frameHead:]); err != nil {
			return at, fmt.Errorf("%w, in the frame at offset %d", err, at)
		}
		rest = after
	}
	return len(b), nil
}
