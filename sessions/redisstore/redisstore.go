// Package redisstore keeps the session table on Redis: standalone, Sentinel or Cluster.
package redisstore
