// Package page draws a load report as one HTML page.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's parts are in the binary
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"

	"github.com/limpet-proxy/limpet/load"
)

//go:embed page.html
var pageHTML string

//go:embed chart.html
var chartHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// Write writes a page that shows the report: the verdict, the numbers, four plots, and the first examples. It is one
// file that asks for nothing from elsewhere, follows the reader's choice of light or dark, and is complete without
// scripts. A script reads the report back as the JSON in the element with the ID "report".
//
// Nothing is written if there is an error but w's own. One of these is a report that JSON cannot hold: it has a number
// that is infinite or not a number, or a time outside of the years 0 to 9999.
func Write(w io.Writer, r load.Report) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("the report is not one that JSON can hold: %w", err)
	}
	// What comes back has whole UTF-8 and finite numbers, whatever a target has sent.
	var clean load.Report
	if err := json.Unmarshal(data, &clean); err != nil {
		return fmt.Errorf("the report cannot be read back: %w", err)
	}
	t, err := parse()
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := t.Execute(&page, newView(clean, data)); err != nil {
		return fmt.Errorf("the report cannot be drawn: %w", err)
	}
	_, err = w.Write(page.Bytes())
	return err
}

func parse() (*template.Template, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"n": count, "ms": millis, "s": seconds, "shape": shape,
	}).Parse(pageHTML)
	if err != nil {
		return nil, err
	}
	return t.Parse(chartHTML)
}

// policy is the page's Content-Security-Policy: its own style sheet and script, known by their hashes, and nothing else,
// wherever a mistake in escaping might let something in.
func policy() string {
	return "default-src 'none'; style-src '" + hash(pageCSS) + "'; script-src '" + hash(pageJS) +
		"'; base-uri 'none'; form-action 'none'"
}

func hash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
