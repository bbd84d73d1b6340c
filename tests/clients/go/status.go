package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"
)

// Enough for many workers at one object, unlike the default of five steps.
var backoff = wait.Backoff{Steps: 1000, Duration: 5 * time.Millisecond, Factor: 1, Jitter: 1}

// status has several controllers count in one status, each from what it reads, again where another was faster.
// Arguments: the cluster's name, how many there are, how often each counts.
func status(ctx context.Context, client dynamic.Interface, args []string) error {
	workers, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	rounds, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	all := client.Resource(resource)
	var conflicts atomic.Int64
	failures := make([]error, workers)
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for range rounds {
				err := retry.RetryOnConflict(backoff, func() error {
					err := count(ctx, all, args[0])
					if apierrors.IsConflict(err) {
						conflicts.Add(1)
					}
					return err
				})
				failures[worker] = errors.Join(failures[worker], err)
			}
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	tell(map[string]any{"conflicts": conflicts.Load()})
	return nil
}

// count reads, adds one, and writes.
func count(ctx context.Context, all clusters, name string) error {
	object, err := all.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	path := []string{"status", "nodeSummary", "totalNum"}
	total, _, err := unstructured.NestedInt64(object.Object, path...)
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedField(object.Object, total+1, path...); err != nil {
		return err
	}
	_, err = all.UpdateStatus(ctx, object, metav1.UpdateOptions{FieldManager: "counter"})
	return err
}
