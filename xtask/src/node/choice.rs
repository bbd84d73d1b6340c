//! With or without a node: what is wished, what the machine allows, what came of it.

use anyhow::Result;

use super::NodePlan;
use crate::{
    assets::Need,
    plane::{Ground, Plane, Reach},
    ui,
};

/// Whether member1 shall have a real node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wish {
    No,
    /// Where the machine can have one; otherwise it is said why not.
    Possible,
    /// Or the run fails.
    Required,
}

/// What the machine makes of the wish.
#[derive(Debug)]
pub(crate) enum Choice {
    With(NodePlan, Wish),
    /// And why, if a node was wished for.
    Without(Option<String>),
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Node {
    Running,
    /// And why, if a node was wished for.
    Absent(Option<String>),
}

// === impl Wish ===

impl Wish {
    pub(crate) fn choose(self) -> Result<Choice> {
        match (self, NodePlan::new()) {
            (Self::No, _) => Ok(Choice::Without(None)),
            (_, Ok(plan)) => Ok(Choice::With(plan, self)),
            (Self::Possible, Err(error)) => Ok(Choice::Without(Some(absent(&error)))),
            (Self::Required, Err(error)) => Err(error),
        }
    }
}

// === impl Choice ===

impl Choice {
    pub(crate) fn need(&self) -> Need {
        match self {
            Self::With(..) => Need::ControlPlaneAndNode,
            Self::Without(_) => Need::ControlPlane,
        }
    }

    /// From where member1 is reached.
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::With(..) => Reach::Node,
            Self::Without(_) => Reach::Loopback,
        }
    }

    /// Starts the node, if there is to be one.
    pub(crate) async fn start(&self, ground: &Ground, member: &Plane) -> Result<Node> {
        let (plan, wish) = match self {
            Self::With(plan, wish) => (plan, wish),
            Self::Without(reason) => return Ok(Node::Absent(reason.clone())),
        };
        match plan.start(ground, member).await {
            Ok(()) => Ok(Node::Running),
            Err(error) if *wish == Wish::Required => Err(error),
            Err(error) => Ok(Node::Absent(Some(absent(&error)))),
        }
    }
}

fn absent(error: &anyhow::Error) -> String {
    let reason = format!("{error:#}");
    ui::warn(format_args!("going on without a node: {reason}"));
    reason
}
