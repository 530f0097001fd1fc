package redisstore

import (
	"context"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

func (s *Store) Update(context.Context, sessions.UpdateRequest) (sessions.Session, error) {
	panic("todo")
}
func (s *Store) History(context.Context, sessions.Key) ([]sessions.Session, error) { panic("todo") }
func (s *Store) Qualifiers(context.Context, string) ([]string, error)              { panic("todo") }
func (s *Store) Once(context.Context, string, time.Duration) (bool, error)         { panic("todo") }
