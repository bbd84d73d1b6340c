//! The paths that are served, with their operations.

use serde_json::{Map, Value};

use super::{
    operation::{Names, OBJECTS, Operation, Target},
    parameter::{NAME, PATH, PRETTY, Parameter, list},
};
use crate::{
    definition::{
        API_GROUP, API_GROUP_LIST, API_RESOURCE_LIST, Definition, VERSION_INFO, WATCH_EVENT,
    },
    discovery::{Group, Resource, Serves, Subresource, Version},
    schema::GroupVersionKind,
};

/// The methods that a subresource passes on.
const METHODS: [&str; 7] = ["delete", "get", "head", "options", "patch", "post", "put"];

/// A path with its operations.
#[derive(Debug)]
pub(super) struct PathItem {
    pub(super) path: String,
    /// Those of every operation.
    pub(super) parameters: Vec<Parameter>,
    pub(super) operations: Vec<Operation>,
}

/// All paths of `groups`, and those of the server itself.
pub(super) fn paths(groups: &[Group]) -> Vec<PathItem> {
    let apis = Operation::document(
        "getAPIVersions".to_owned(),
        "apis".to_owned(),
        OBJECTS,
        &API_GROUP_LIST,
    );
    let version = Operation::document(
        "getCodeVersion".to_owned(),
        "version".to_owned(),
        &["application/json"],
        &VERSION_INFO,
    );
    let mut paths = vec![PathItem::document("/apis/".to_owned(), apis)];
    paths.extend(groups.iter().flat_map(group));
    paths.push(PathItem::document("/version/".to_owned(), version));
    paths
}

fn group(group: &Group) -> Vec<PathItem> {
    let pascal = pascal(group.name);
    let id = format!("get{pascal}APIGroup");
    let own = Operation::document(id, camel(&pascal), OBJECTS, &API_GROUP);
    let mut paths = vec![PathItem::document(format!("/apis/{}/", group.name), own)];
    for version in group.versions {
        paths.extend(self::version(group, version));
    }
    paths
}

fn version(group: &Group, version: &Version) -> Vec<PathItem> {
    let names = Names::of(group.name, version.name);
    let root = format!("/apis/{}/{}", group.name, version.name);
    let id = format!("get{}APIResources", names.prefix);
    let own = Operation::document(id, names.tag.clone(), OBJECTS, &API_RESOURCE_LIST);
    let mut paths = vec![PathItem::document(format!("{root}/"), own)];
    for resource in version.resources {
        let kind = GroupVersionKind {
            group: group.name,
            version: version.name,
            kind: resource.kind,
        };
        paths.extend(self::resource(&root, resource, &names, kind));
    }
    paths
}

fn resource(
    root: &str,
    resource: &Resource,
    names: &Names,
    kind: GroupVersionKind<'static>,
) -> Vec<PathItem> {
    let Resource {
        name,
        verbs,
        object,
        list: list_of,
        ..
    } = *resource;
    let target = Target {
        names,
        kind,
        object,
        suffix: "",
    };
    let collection = verbs
        .iter()
        .filter_map(|verb| target.on_collection(verb, list_of));
    let one = verbs.iter().filter_map(|verb| target.on_object(verb));
    let mut paths = vec![
        PathItem::new(format!("{root}/{name}"), [PRETTY], collection.collect()),
        PathItem::new(
            format!("{root}/{name}/{{name}}"),
            [NAME, PRETTY],
            one.collect(),
        ),
    ];
    if verbs.contains(&"watch") {
        let all = [list(), vec![PRETTY]].concat();
        let one = [&all[..], &[NAME]].concat();
        let watch = |action| vec![target.watch(action, &WATCH_EVENT)];
        paths.push(PathItem::new(
            format!("{root}/watch/{name}"),
            all,
            watch("watchlist"),
        ));
        paths.push(PathItem::new(
            format!("{root}/watch/{name}/{{name}}"),
            one,
            watch("watch"),
        ));
    }
    let below = resource.subresources.iter();
    paths.extend(below.flat_map(|subresource| {
        self::subresource(&format!("{root}/{name}/{{name}}"), subresource, target)
    }));
    paths.retain(|item| !item.operations.is_empty());
    paths
}

fn subresource(parent: &str, subresource: &Subresource, target: Target<'_>) -> Vec<PathItem> {
    let path = format!("{parent}/{}", subresource.name);
    let suffix = capital(subresource.name);
    match subresource.serves {
        Serves::Object => {
            let target = Target {
                suffix: &suffix,
                ..target
            };
            let verbs = subresource.verbs.iter();
            let operations = verbs.filter_map(|verb| target.on_object(verb)).collect();
            vec![PathItem::new(path, [NAME, PRETTY], operations)]
        }
        Serves::Connect(parameters) => {
            let operations = |rest: &str| {
                METHODS
                    .map(|method| {
                        connect(target, subresource.kind, method, &format!("{suffix}{rest}"))
                    })
                    .into()
            };
            let with_path = [&[NAME, PATH], parameters].concat();
            vec![
                PathItem::new(path.clone(), [&[NAME], parameters].concat(), operations("")),
                PathItem::new(
                    format!("{path}/{{path}}"),
                    with_path,
                    operations("WithPath"),
                ),
            ]
        }
    }
}

/// Named after the parent's kind, and about the kind of the options.
fn connect(
    target: Target<'_>,
    options: &'static str,
    method: &'static str,
    suffix: &str,
) -> Operation {
    let mut operation = target.connect(method);
    let Names { prefix, .. } = target.names;
    let kind = target.kind.kind;
    operation.id = format!("connect{prefix}{}{kind}{suffix}", capital(method));
    operation.action = operation.action.map(|(action, kind)| {
        (
            action,
            GroupVersionKind {
                kind: options,
                ..kind
            },
        )
    });
    operation
}

/// `cluster.karmada.io` as `ClusterKarmadaIo`. Kubernetes leaves out `k8s.io` at the end.
fn pascal(group: &str) -> String {
    let short = group.strip_suffix(".k8s.io").unwrap_or(group);
    short.split('.').map(capital).collect()
}

fn camel(pascal: &str) -> String {
    let mut chars = pascal.chars();
    let first = chars.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

// === impl PathItem ===

impl PathItem {
    /// The path as it stands in a document, with operations and parameters as that writes them.
    pub(super) fn to_value(
        &self,
        operation: impl Fn(&Operation) -> Value,
        parameters: impl Fn(&[Parameter]) -> Option<(String, Value)>,
    ) -> Value {
        let operations = self.operations.iter();
        let mut out: Map<_, _> = operations
            .map(|it| (it.method.to_owned(), operation(it)))
            .collect();
        out.extend(parameters(&self.parameters));
        out.into()
    }

    fn new(
        path: String,
        parameters: impl IntoIterator<Item = Parameter>,
        operations: Vec<Operation>,
    ) -> Self {
        let mut parameters: Vec<_> = parameters.into_iter().collect();
        parameters.sort_by_key(Parameter::key);
        Self {
            path,
            parameters,
            operations,
        }
    }

    fn document(path: String, operation: Operation) -> Self {
        Self::new(path, [], vec![operation])
    }

    /// The key of the document of version 3 that it stands in: its group and version.
    pub(super) fn key(&self) -> String {
        let segments = self.path.split('/').filter(|segment| !segment.is_empty());
        segments.take(3).collect::<Vec<_>>().join("/")
    }

    /// The definitions that its operations name.
    pub(super) fn definitions(&self) -> impl Iterator<Item = &'static Definition> {
        self.operations.iter().flat_map(Operation::definitions)
    }
}

// === impl Names ===

impl Names {
    fn of(group: &str, version: &str) -> Self {
        let pascal = pascal(group);
        Self {
            prefix: format!("{pascal}{}", capital(version)),
            tag: format!("{}_{version}", camel(&pascal)),
        }
    }
}
