// Package configs loads the packages' own Config structs, strictly, from one YAML file.
package configs
