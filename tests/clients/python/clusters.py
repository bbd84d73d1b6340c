"""Does to the Cluster API what programs with the Python client do, and prints what came of it as JSON lines.

clusters.py pages SELECTOR LIMIT  after each page but the last, waits for a line
clusters.py watch SELECTOR        until a cluster's label "value" is "last"

KUBECONFIG names the server.
"""

import json
import sys

import urllib3
from kubernetes import client, config, watch

CLUSTERS = {"group": "cluster.karmada.io", "version": "v1alpha1", "plural": "clusters"}


def tell(**line):
    print(json.dumps(line), flush=True)


def names(items):
    return [item["metadata"]["name"] for item in items]


def pages(api, selector, limit):
    """Lists page by page, as the continue token says."""
    token = None
    while True:
        page = api.list_cluster_custom_object(
            **CLUSTERS, label_selector=selector, limit=int(limit), _continue=token
        )
        metadata = page["metadata"]
        token = metadata.get("continue")
        tell(
            page=names(page["items"]),
            version=metadata["resourceVersion"],
            remaining=metadata.get("remainingItemCount"),
        )
        if not token:
            return
        sys.stdin.readline()


def follow(api, selector):
    """Lists once, then watches, and goes on from the last version seen whenever the connection is cut."""
    listed = api.list_cluster_custom_object(**CLUSTERS, label_selector=selector)
    version = listed["metadata"]["resourceVersion"]
    tell(listed=names(listed["items"]), version=version)
    while True:
        stream = watch.Watch()
        tell(watching=version)
        try:
            for event in stream.stream(
                api.list_cluster_custom_object,
                **CLUSTERS,
                label_selector=selector,
                resource_version=version,
                allow_watch_bookmarks=True,
            ):
                if seen(event):
                    return
        except urllib3.exceptions.HTTPError as error:
            version = stream.resource_version
            tell(cut=type(error).__name__, at=version)


def seen(event):
    """Tells of one event; whether it is the last that is waited for."""
    if event["type"] == "BOOKMARK":
        return False
    metadata = event["object"]["metadata"]
    value = metadata.get("labels", {}).get("value")
    tell(
        event=event["type"],
        name=metadata["name"],
        value=value,
        version=metadata["resourceVersion"],
    )
    return value == "last"


def main(command, *arguments):
    config.load_kube_config()
    api = client.CustomObjectsApi()
    {"pages": pages, "watch": follow}[command](api, *arguments)


main(*sys.argv[1:])
