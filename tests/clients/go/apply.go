package main

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// apply has two managers share a cluster by server-side apply. Arguments: the cluster's name.
func apply(ctx context.Context, client dynamic.Interface, args []string) error {
	all, name := client.Resource(resource), args[0]
	first, err := all.Apply(ctx, name, cluster(name, nil, map[string]any{"region": "north"}), by("one"))
	if err != nil {
		return err
	}
	again, err := all.Apply(ctx, name, cluster(name, nil, map[string]any{"region": "north"}), by("one"))
	if err != nil {
		return err
	}
	if err := want("what is applied again", again, first); err != nil {
		return err
	}
	other := cluster(name, nil, map[string]any{"region": "south", "provider": "tin"})
	_, err = all.Apply(ctx, name, other, by("two"))
	if !apierrors.IsConflict(err) {
		return fmt.Errorf("the region of another was applied: %v", err)
	}
	if err := conflictOf(err); err != nil {
		return err
	}
	force := by("two")
	force.Force = true
	forced, err := all.Apply(ctx, name, other, force)
	if err != nil {
		return err
	}
	// What the first names no more and nobody else owns goes; what the second took stays.
	left, err := all.Apply(ctx, name, cluster(name, nil, nil), by("one"))
	if err != nil {
		return err
	}
	dropped, err := all.Apply(ctx, name, cluster(name, nil, map[string]any{"region": "south"}), by("two"))
	if err != nil {
		return err
	}
	return errors.Join(
		want("the region by force", field(forced, "spec.region"), "south"),
		want("the region that the second owns", field(left, "spec.region"), "south"),
		want("the provider that nobody owns", field(dropped, "spec.provider"), nil),
		applyStatus(ctx, all, name),
	)
}

func by(manager string) metav1.ApplyOptions { return metav1.ApplyOptions{FieldManager: manager} }

// conflictOf fails unless err names the one field and its owner as controllers look for them.
func conflictOf(err error) error {
	var failure apierrors.APIStatus
	if !errors.As(err, &failure) {
		return err
	}
	details := failure.Status().Details
	if details == nil {
		return fmt.Errorf("a conflict without details: %w", err)
	}
	return want("the causes of the conflict", details.Causes, []metav1.StatusCause{{
		Type:    metav1.CauseTypeFieldManagerConflict,
		Message: `conflict with "one"`,
		Field:   ".spec.region",
	}})
}

// applyStatus applies a status: its manager stands beside those of the spec, and the spec stays.
func applyStatus(ctx context.Context, all clusters, name string) error {
	object := &unstructured.Unstructured{Object: map[string]any{
		"status": map[string]any{"kubernetesVersion": "v1.36.3"},
	}}
	object.SetGroupVersionKind(version.WithKind("Cluster"))
	object.SetName(name)
	applied, err := all.ApplyStatus(ctx, name, object, by("agent"))
	if err != nil {
		return err
	}
	managers := map[string]string{}
	for _, entry := range applied.GetManagedFields() {
		managers[entry.Manager] = string(entry.Operation) + " " + entry.Subresource
	}
	tell(map[string]any{"managers": managers})
	return errors.Join(
		want("the status", field(applied, "status.kubernetesVersion"), "v1.36.3"),
		want("the region", field(applied, "spec.region"), "south"),
	)
}
