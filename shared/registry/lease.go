package registry

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// Heartbeat renews the lease under which others find the replica's push URL.
//
// existed is false when there was no lease: others may have taken the replica for
// dead, or Redis lost everything, and so the replica registers all its connections
// anew. After an error the next answer does not count, because the failed call may
// have begun the lease: treat it as false.
func (r *Registry) Heartbeat(ctx context.Context, replica, pushURL string) (existed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var before *redis.IntCmd
	// One transaction: nobody finds the lease gone between the two.
	_, err = r.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		before = p.Exists(ctx, leaseKey(replica))
		p.Set(ctx, leaseKey(replica), pushURL, LeaseTTL)
		return nil
	})
	if err != nil {
		return false, failure(err, "renewing a lease")
	}
	return before.Val() == 1, nil
}

// EndLease gives the lease up, at the end of a drain. It may be gone already.
func (r *Registry) EndLease(ctx context.Context, replica string) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return failure(r.client.Del(ctx, leaseKey(replica)).Err(), "ending a lease")
}

// PushURLs returns the push URL of each of the replicas that has a lease, in one
// round trip. A replica that is missing from the answer is dead or cut off.
func (r *Registry) PushURLs(ctx context.Context, replicas []string) (map[string]string, error) {
	if len(replicas) == 0 {
		return map[string]string{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	// Leases are in slots of their own, where MGET does not reach.
	leases := make(map[string]*redis.StringCmd, len(replicas))
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, replica := range replicas {
			if leases[replica] == nil {
				leases[replica] = p.Get(ctx, leaseKey(replica))
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, failure(err, "looking up push URLs")
	}
	urls := make(map[string]string, len(leases))
	for replica, lease := range leases {
		switch url, err := lease.Result(); {
		case err == nil:
			urls[replica] = url
		case !errors.Is(err, redis.Nil):
			return nil, failure(err, "looking up the push URL of "+replica)
		}
	}
	return urls, nil
}
