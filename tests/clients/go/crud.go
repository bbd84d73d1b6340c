package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"
)

// crud goes through every verb of the dynamic client. Arguments: what the names of its clusters begin with.
func crud(ctx context.Context, client dynamic.Interface, args []string) error {
	prefix := args[0]
	all := client.Resource(resource)
	for _, step := range []func(context.Context, clusters, string) error{createAndGet, change, listInPages, watchOne, removeAll} {
		if err := step(ctx, all, prefix); err != nil {
			return err
		}
	}
	tell(map[string]any{"done": true})
	return nil
}

func numbered(prefix string, number int) string { return fmt.Sprintf("%s-%d", prefix, number) }

func createAndGet(ctx context.Context, all clusters, prefix string) error {
	for number := range 5 {
		object := cluster(numbered(prefix, number), map[string]string{"crud": prefix}, nil)
		made, err := all.Create(ctx, object, metav1.CreateOptions{FieldManager: "crud"})
		if err != nil {
			return err
		}
		got, err := all.Get(ctx, made.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := want("what was created", got, made); err != nil {
			return err
		}
	}
	again := cluster(numbered(prefix, 0), nil, nil)
	if _, err := all.Create(ctx, again, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("created twice: %v", err)
	}
	named := cluster("", map[string]string{"crud": prefix + "-generated"}, nil)
	named.SetGenerateName(prefix)
	made, err := all.Create(ctx, named, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if len(made.GetName()) != len(prefix)+5 {
		return fmt.Errorf("the name %q was generated", made.GetName())
	}
	if err := all.Delete(ctx, made.GetName(), metav1.DeleteOptions{}); err != nil {
		return err
	}
	if _, err := all.Get(ctx, made.GetName(), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("got what was deleted: %v", err)
	}
	return nil
}

func change(ctx context.Context, all clusters, prefix string) error {
	name := numbered(prefix, 0)
	first, err := all.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	changed := first.DeepCopy()
	err = errors.Join(
		unstructured.SetNestedField(changed.Object, "north", "spec", "region"),
		// Of a status, an update of the object takes nothing.
		unstructured.SetNestedField(changed.Object, "v1.0.0", "status", "kubernetesVersion"),
	)
	if err != nil {
		return err
	}
	updated, err := all.Update(ctx, changed, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	err = errors.Join(
		want("generation after an update", updated.GetGeneration(), 2),
		want("status after an update", field(updated, "status.kubernetesVersion"), nil),
	)
	if err != nil {
		return err
	}
	if _, err := all.Update(ctx, changed, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		return fmt.Errorf("updated with an old version: %v", err)
	}
	err = errors.Join(
		unstructured.SetNestedField(updated.Object, "v1.36.3", "status", "kubernetesVersion"),
		// Of a spec, an update of the status takes nothing.
		unstructured.SetNestedField(updated.Object, "south", "spec", "region"),
	)
	if err != nil {
		return err
	}
	updated, err = all.UpdateStatus(ctx, updated, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	patch := []byte(`{"spec":{"provider":"tin"}}`)
	patched, err := all.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	return errors.Join(
		want("status", field(updated, "status.kubernetesVersion"), "v1.36.3"),
		want("region", field(updated, "spec.region"), "north"),
		want("generation after an update of the status", updated.GetGeneration(), 2),
		want("provider", field(patched, "spec.provider"), "tin"),
		want("generation after a patch", patched.GetGeneration(), 3),
	)
}

func listInPages(ctx context.Context, all clusters, prefix string) error {
	pages := 0
	list := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		pages++
		return all.List(ctx, options)
	}
	pager := pager.New(list)
	pager.PageSize = 2
	var names []string
	err := pager.EachListItem(ctx, metav1.ListOptions{LabelSelector: "crud=" + prefix}, func(item runtime.Object) error {
		names = append(names, item.(*unstructured.Unstructured).GetName())
		return nil
	})
	if err != nil {
		return err
	}
	var wanted []string
	for number := range 5 {
		wanted = append(wanted, numbered(prefix, number))
	}
	return errors.Join(want("the names in pages", names, wanted), want("pages", pages, 3))
}

func watchOne(ctx context.Context, all clusters, prefix string) error {
	list, err := all.List(ctx, metav1.ListOptions{LabelSelector: "crud=" + prefix})
	if err != nil {
		return err
	}
	name := numbered(prefix, 1)
	events, err := all.Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + name, ResourceVersion: list.GetResourceVersion(),
	})
	if err != nil {
		return err
	}
	defer events.Stop()
	patch := []byte(`{"metadata":{"labels":{"seen":"yes"}}}`)
	patched, err := all.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	if err := all.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	modified, deleted := <-events.ResultChan(), <-events.ResultChan()
	if deleted.Object == nil {
		return errors.New("the watch has ended before its events came")
	}
	gone := deleted.Object.(*unstructured.Unstructured)
	err = errors.Join(
		want("the first event", modified, watch.Event{Type: watch.Modified, Object: patched}),
		want("the second event", deleted.Type, watch.Deleted),
		want("what was deleted", gone.GetName(), name),
	)
	if gone.GetResourceVersion() == patched.GetResourceVersion() {
		err = errors.Join(err, errors.New("a deleted object has the version of its last change"))
	}
	return err
}

func removeAll(ctx context.Context, all clusters, prefix string) error {
	selected := metav1.ListOptions{LabelSelector: "crud=" + prefix}
	if err := all.DeleteCollection(ctx, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}, selected); err != nil {
		return err
	}
	before, err := all.List(ctx, selected)
	if err != nil {
		return err
	}
	if err := all.DeleteCollection(ctx, metav1.DeleteOptions{}, selected); err != nil {
		return err
	}
	after, err := all.List(ctx, selected)
	if err != nil {
		return err
	}
	var left []string
	for _, item := range before.Items {
		left = append(left, item.GetName())
	}
	slices.Sort(left)
	wanted := []string{numbered(prefix, 0), numbered(prefix, 2), numbered(prefix, 3), numbered(prefix, 4)}
	return errors.Join(
		want("what a dry run left", left, wanted),
		want("what was left", len(after.Items), 0),
	)
}
