//! One contract for all backends, and what each of them promises besides.

#[cfg(test)]
mod checker;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod embedded;
#[cfg(test)]
mod encrypted;
#[cfg(test)]
mod etcd;
#[cfg(test)]
mod memory;
