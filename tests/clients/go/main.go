// Command clients does to the Cluster API what programs in client-go do, and prints what came of it as JSON lines.
//
//	clients apply NAME
//	clients crud PREFIX
//	clients informer SELECTOR     until its standard input ends
//	clients status NAME WORKERS ROUNDS
//
// KUBECONFIG names the server. What goes wrong is said in one line, and the exit status is 1.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

var (
	version  = schema.GroupVersion{Group: "cluster.karmada.io", Version: "v1alpha1"}
	resource = version.WithResource("clusters")
)

type clusters = dynamic.NamespaceableResourceInterface

// What each command does with its arguments.
var commands = map[string]func(context.Context, dynamic.Interface, []string) error{
	"apply":    apply,
	"crud":     crud,
	"informer": inform,
	"status":   status,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("which of the commands apply, crud, informer, status?")
	}
	client, err := connect()
	if err != nil {
		return err
	}
	return commands[args[0]](context.Background(), client, args[1:])
}

func connect() (dynamic.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	// The limits of a client are not what is tested.
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return told{next} })
	return dynamic.NewForConfig(config)
}

// told prints each request that is sent, with the status that answers it.
type told struct{ next http.RoundTripper }

func (t told) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if os.Getenv("CLIENTS_TELL_REQUESTS") != "" {
		code := 0
		if err == nil {
			code = response.StatusCode
		}
		tell(map[string]any{"request": request.Method + " " + request.URL.RequestURI(), "status": code})
	}
	return response, err
}

var printing sync.Mutex

// tell prints one line.
func tell(line map[string]any) {
	printing.Lock()
	defer printing.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err)
	}
}

func cluster(name string, labels map[string]string, spec map[string]any) *unstructured.Unstructured {
	if spec == nil {
		spec = map[string]any{}
	}
	if spec["syncMode"] == nil {
		spec["syncMode"] = "Pull"
	}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(version.WithKind("Cluster"))
	object.SetName(name)
	object.SetLabels(labels)
	return object
}

func field(object *unstructured.Unstructured, path string) any {
	value, _, err := unstructured.NestedFieldNoCopy(object.Object, strings.Split(path, ".")...)
	if err != nil {
		return err.Error()
	}
	return value
}

// want fails unless got is what is wanted, both as JSON.
func want(what string, got, wanted any) error {
	g, err := json.Marshal(got)
	if err != nil {
		return err
	}
	w, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	if string(g) != string(w) {
		return fmt.Errorf("%s: got %s, want %s", what, g, w)
	}
	return nil
}
