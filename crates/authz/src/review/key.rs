//! What a verdict is remembered by: a hash of all that it depends on.

use fleetgate_model::{Attributes, Resource, SelectorRequirement, Selectors, User};
use sha2::{Digest, Sha256};

use super::AccessReview;

/// Callers choose paths and names, so that they could fill the cache with long ones: beyond this
/// many bytes of theirs a verdict is not remembered (Kubernetes: `maxControlledAttrCacheSize`).
const MAX_CONTROLLED: usize = 10_000;

/// A SHA-256 over every field of the question, each preceded by its length and each list by its
/// count, so that no two different questions hash the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

struct Fields(Sha256);

// === impl Key ===

impl Key {
    /// The key of `review`, unless its answer is not to be remembered.
    pub(super) fn of(review: AccessReview<'_>) -> Option<Self> {
        let AccessReview { user, attributes } = review;
        if controlled(attributes) >= MAX_CONTROLLED {
            return None;
        }
        let mut fields = Fields(Sha256::new());
        fields.user(user);
        fields.attributes(attributes);
        Some(Self(fields.0.finalize().into()))
    }
}

fn controlled(attributes: &Attributes) -> usize {
    let resource = attributes.resource.as_ref().map_or(0, |resource| {
        let Resource {
            group,
            version,
            namespace,
            resource,
            subresource,
            name,
        } = resource;
        [group, version, namespace, resource, subresource, name]
            .map(|field| field.len())
            .iter()
            .sum()
    });
    resource + attributes.verb.as_str().len() + attributes.path.len()
}

// === impl Fields ===

impl Fields {
    fn user(&mut self, user: &User) {
        let User {
            name,
            uid,
            groups,
            extra,
        } = user;
        self.text(name);
        self.text(uid);
        self.list(groups);
        self.count(extra.len());
        for (key, values) in extra {
            self.text(key);
            self.list(values);
        }
    }

    fn attributes(&mut self, attributes: &Attributes) {
        // Whether a request lasts is not asked about.
        let Attributes {
            verb,
            resource,
            path,
            selectors: Selectors { fields, labels },
            long_running: _,
        } = attributes;
        self.text(verb.as_str());
        match resource {
            Some(Resource {
                group,
                version,
                namespace,
                resource,
                subresource,
                name,
            }) => {
                self.count(1);
                for field in [group, version, namespace, resource, subresource, name] {
                    self.text(field);
                }
            }
            None => {
                self.count(0);
                self.text(path);
            }
        }
        self.requirements(fields);
        self.requirements(labels);
    }

    fn requirements(&mut self, requirements: &[SelectorRequirement]) {
        self.count(requirements.len());
        for SelectorRequirement {
            key,
            operator,
            values,
        } in requirements
        {
            self.text(key);
            self.text(operator.as_str());
            self.list(values);
        }
    }

    fn list(&mut self, texts: &[String]) {
        self.count(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text);
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
