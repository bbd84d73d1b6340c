package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
)

// inform runs a shared informer and prints each event that its handler gets, and at the end what its store holds.
// Of each cluster the label "value" is told. Arguments: a label selector.
func inform(ctx context.Context, client dynamic.Interface, args []string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	selected := func(options *metav1.ListOptions) { options.LabelSelector = args[0] }
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, metav1.NamespaceAll, selected)
	informer := factory.ForResource(resource).Informer()
	err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		tell(map[string]any{"error": err.Error()})
	})
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { event("add", object) },
		UpdateFunc: func(_, object any) { event("update", object) },
		DeleteFunc: func(object any) { event("delete", object) },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if !cache.WaitForCacheSync(limit.Done(), informer.HasSynced) {
		return errors.New("the cache has not synced within a minute")
	}
	tell(map[string]any{"synced": true})
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	store := map[string]string{}
	for _, object := range informer.GetStore().List() {
		cluster := object.(*unstructured.Unstructured)
		store[cluster.GetName()] = cluster.GetResourceVersion()
	}
	tell(map[string]any{"store": store})
	return nil
}

func event(kind string, object any) {
	line := map[string]any{"event": kind}
	if gone, unseen := object.(cache.DeletedFinalStateUnknown); unseen {
		line["unseen"] = true
		object = gone.Obj
	}
	cluster := object.(*unstructured.Unstructured)
	line["name"], line["version"] = cluster.GetName(), cluster.GetResourceVersion()
	line["value"] = cluster.GetLabels()["value"]
	tell(line)
}
