package embeddedstore_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// written returns a log of n sessions, and its length before the last was pinned.
func written(t *testing.T, n int) (log []byte, beforeLast int) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range n {
		beforeLast = len(readFile(t, logFile(dir, 1)))
		pin(t, s, request(fmt.Sprintf("x%d", i)))
	}
	require.NoError(t, s.Close())
	return readFile(t, logFile(dir, 1)), beforeLast
}

// TestTornTail cuts the log at every byte of its last record, as a crash in the middle of a write does. The store
// opens, has all but that one session, and goes on.
func TestTornTail(t *testing.T) {
	log, last := written(t, 5)
	for size := last; size < len(log); size++ {
		dir := dirOf(t, map[string][]byte{logFile("", 1): log[:size]})
		s := open(t, dir)
		require.Len(t, list(t, s, sessions.Active), 4, "cut at %d", size)
		pin(t, s, request("x4"))
		require.NoError(t, s.Close())
		s = open(t, dir)
		require.Len(t, list(t, s, sessions.Active), 5, "cut at %d", size)
		require.NoError(t, s.Close())
	}
}

// TestTornLastRecord: a last record whose bytes did not all get to disk, though its length did, is cut too.
func TestTornLastRecord(t *testing.T) {
	log, last := written(t, 5)
	for name, tail := range map[string][]byte{
		"zeros after the end":   append(bytes.Clone(log[last:]), make([]byte, 4096)...),
		"zeros":                 make([]byte, len(log)-last),
		"one page of the write": append(make([]byte, 20), log[last+20:]...),
		"rubbish":               bytes.Repeat([]byte{0xff}, 300),
	} {
		dir := dirOf(t, map[string][]byte{logFile("", 1): append(bytes.Clone(log[:last]), tail...)})
		want := 4
		if bytes.HasPrefix(tail, log[last:]) {
			want = 5
		}
		require.Len(t, list(t, open(t, dir), sessions.Active), want, name)
	}
	for at := last; at < len(log); at++ {
		bad := bytes.Clone(log)
		bad[at] ^= 0x10
		whole, err := embeddedstore.ReadLog(bad)
		require.NoError(t, err, "offset %d", at)
		require.Equal(t, last, whole, "offset %d", at)
	}
}

// TestRottenLog flips every bit of a log but those of the last record: records after it prove that it was whole.
func TestRottenLog(t *testing.T) {
	log, last := written(t, 4)
	for at := range last {
		for bit := range 8 {
			bad := bytes.Clone(log)
			bad[at] ^= 1 << bit
			_, err := embeddedstore.ReadLog(bad)
			require.ErrorIs(t, err, sessions.ErrCorrupt, "bit %d at offset %d", bit, at)
			require.ErrorContains(t, err, "offset ")
		}
	}
	log[last/2] ^= 1
	dir := dirOf(t, map[string][]byte{logFile("", 1): log})
	err := openError(dir)
	require.ErrorIs(t, err, sessions.ErrCorrupt)
	require.ErrorContains(t, err, logFile(dir, 1))
	require.Equal(t, log, readFile(t, logFile(dir, 1)), "evidence is left as it is")
}

// TestRottenSnapshot: a snapshot was synced before it got its name, so every flaw is one, at its end too.
func TestRottenSnapshot(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	live(t, s, "x")
	rotate(t, s, dir)
	require.NoError(t, s.Close())
	snap := readFile(t, snapFile(dir, 2))
	require.NoError(t, embeddedstore.ReadSnapshot(snap))
	for at := range snap {
		bad := bytes.Clone(snap)
		bad[at] ^= 1 << (at % 8)
		require.ErrorIs(t, embeddedstore.ReadSnapshot(bad), sessions.ErrCorrupt, "offset %d", at)
		require.ErrorIs(t, embeddedstore.ReadSnapshot(snap[:at]), sessions.ErrCorrupt, "cut at %d", at)
	}
	require.NoError(t, os.WriteFile(snapFile(dir, 2), snap[:len(snap)-1], 0o600))
	err := openError(dir)
	require.ErrorIs(t, err, sessions.ErrCorrupt)
	require.ErrorContains(t, err, snapFile(dir, 2))
	require.ErrorContains(t, err, "offset ")
}

// TestTornOlderLog: only the last log may have a torn tail. The one before was whole when it began.
func TestTornOlderLog(t *testing.T) {
	log, _ := written(t, 3)
	dir := dirOf(t, map[string][]byte{logFile("", 1): log[:len(log)-1], logFile("", 2): log})
	err := openError(dir)
	require.ErrorIs(t, err, sessions.ErrCorrupt)
	require.ErrorContains(t, err, logFile(dir, 1))
}

func TestMissingLog(t *testing.T) {
	log, _ := written(t, 3)
	for _, there := range [][]int{{2}, {1, 3}} {
		files := map[string][]byte{}
		for _, n := range there {
			files[logFile("", n)] = log
		}
		err := openError(dirOf(t, files))
		require.ErrorIs(t, err, sessions.ErrCorrupt)
		require.ErrorContains(t, err, "is missing")
	}
}

// TestUnknownVersion: neither a later program's files nor those of the one before, whose records had no name.
func TestUnknownVersion(t *testing.T) {
	log, _ := written(t, 3)
	for _, version := range []uint32{1, 3} {
		binary.LittleEndian.PutUint32(log[8:], version)
		binary.LittleEndian.PutUint32(log[12:], crc32.Checksum(log[:12], crc32.MakeTable(crc32.Castagnoli)))
		dir := dirOf(t, map[string][]byte{logFile("", 1): log})
		err := openError(dir)
		require.ErrorContains(t, err, fmt.Sprintf("format version %d", version))
		require.ErrorContains(t, err, logFile(dir, 1))
		require.NotErrorIs(t, err, sessions.ErrCorrupt)
	}
}

func TestForeignFile(t *testing.T) {
	dir := dirOf(t, map[string][]byte{logFile("", 1): []byte("this is somebody else's log file")})
	require.ErrorIs(t, openError(dir), sessions.ErrCorrupt)
}

// FuzzLog reads arbitrary bytes as a log, and as the entries of a whole frame, which pass the checksum.
func FuzzLog(f *testing.F) {
	dir := f.TempDir()
	s, err := embeddedstore.Open(embeddedstore.Config{Path: dir})
	require.NoError(f, err)
	live(f, s, "x")
	require.NoError(f, s.Close())
	log := readFile(f, logFile(dir, 1))
	f.Add(log)
	f.Add(log[28:])
	f.Add(log[:len(log)/2])
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, content := range [][]byte{b, embeddedstore.Seal(b)} {
			whole, err := embeddedstore.ReadLog(content)
			require.LessOrEqual(t, whole, len(content))
			if err == nil {
				again, err := embeddedstore.ReadLog(content[:whole])
				require.NoError(t, err)
				require.Equal(t, whole, again, "what was cut is cut once")
			}
			_ = embeddedstore.ReadSnapshot(content)
		}
	})
}
