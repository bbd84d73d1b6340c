//! Makes a service for a target.

/// Makes the service that stands for one target: a stack's factory (after linkerd's idiom).
pub trait NewService<T> {
    /// What is made.
    type Service;

    /// The service for `target`. Does no I/O: connections are made when requests come.
    fn new_service(&self, target: T) -> Self::Service;
}

impl<F, T, S> NewService<T> for F
where
    F: Fn(T) -> S,
{
    type Service = S;

    fn new_service(&self, target: T) -> S {
        self(target)
    }
}
