//! What the process is doing, as metrics.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
    registry::Registry,
};
use tokio::runtime::Handle;

/// Asks the runtime whenever metrics are read.
#[derive(Debug)]
struct Runtime(Handle);

/// Registers the number of tasks of the runtime that this is called in.
pub(crate) fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Runtime(Handle::current())));
}

// === impl Runtime ===

impl Collector for Runtime {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let tasks = self.0.metrics().num_alive_tasks();
        let tasks = ConstGauge::new(i64::try_from(tasks).unwrap_or(i64::MAX));
        let help = "Tasks that run: connections, upgrades, and what goes on in the background";
        let kind = tasks.metric_type();
        tasks.encode(encoder.encode_descriptor("runtime_tasks", help, None, kind)?)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use fleetgate_stack::Tasks;
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::register;

    #[tokio::test]
    async fn the_tasks_of_now_are_counted() {
        let mut registry = Registry::default();
        register(&mut registry);
        let tasks = || {
            let mut text = String::new();
            encode(&mut text, &registry).expect("encodes");
            let line = text.lines().find(|l| l.starts_with("runtime_tasks "));
            line.expect("a line").to_owned()
        };
        assert_eq!(tasks(), "runtime_tasks 0");
        let running = Tasks::default();
        running.spawn_until_stopped(pending());
        assert_eq!(tasks(), "runtime_tasks 1");
        running.stop().await;
        assert_eq!(tasks(), "runtime_tasks 0");
    }
}
