//! Places are given in turn, none is lost, and nobody has more than may be.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::join_all};
use tokio::{
    task::{JoinSet, yield_now},
    time::timeout,
};

use super::{Bulkhead, BulkheadLimits, Full, Place};

fn bulkhead(places: usize, per_user: usize, queue: usize) -> Arc<Bulkhead> {
    Bulkhead::new(BulkheadLimits {
        places,
        per_user,
        queue,
    })
}

fn take(bulkhead: &Arc<Bulkhead>, user: &str, count: usize) -> Vec<Place> {
    let places = (0..count).map(|_| bulkhead.try_enter(user).expect("a place"));
    places.collect()
}

#[tokio::test]
async fn one_user_has_a_part_and_others_the_rest() {
    let bulkhead = bulkhead(4, 3, 1);
    let mut heavy = take(&bulkhead, "heavy", 3);
    let mut fourth = Box::pin(bulkhead.enter("heavy"));
    assert!(futures::poll!(&mut fourth).is_pending());
    // Though somebody waits: not for this.
    let other = bulkhead.enter("other").now_or_never();
    let other = other.expect("at once").expect("a place");
    assert_eq!((bulkhead.taken(), bulkhead.waiting()), (4, 1));
    drop(other);
    assert!(futures::poll!(&mut fourth).is_pending());
    heavy.pop();
    fourth.await.expect("a place");
    drop(heavy);
    assert_eq!((bulkhead.taken(), bulkhead.waiting()), (0, 0));
}

#[tokio::test]
async fn users_who_wait_are_served_in_turn() {
    let bulkhead = bulkhead(1, 1, 10);
    let first = bulkhead.try_enter("x").expect("a place");
    let order = parking_lot::Mutex::new(Vec::new());
    let one = async |user: &'static str| {
        let place = bulkhead.enter(user).await.expect("a place");
        order.lock().push(user);
        yield_now().await;
        drop(place);
    };
    let waiting = ["heavy", "heavy", "heavy", "heavy", "light", "light"];
    let all = join_all(waiting.map(one));
    let free = async {
        yield_now().await;
        drop(first);
    };
    tokio::join!(all, free);
    let want = ["heavy", "light", "heavy", "light", "heavy", "heavy"];
    assert_eq!(*order.lock(), want);
}

#[tokio::test]
async fn a_full_queue_makes_room_for_those_with_less() {
    let bulkhead = bulkhead(1, 1, 2);
    let first = bulkhead.try_enter("x").expect("a place");
    let mut heavy: Vec<_> = (0..2).map(|_| Box::pin(bulkhead.enter("heavy"))).collect();
    for waiting in &mut heavy {
        assert!(futures::poll!(waiting).is_pending());
    }
    let third = bulkhead.enter("heavy").now_or_never();
    assert_eq!(third.expect("at once").err(), Some(Full));
    let mut light = Box::pin(bulkhead.enter("light"));
    assert!(futures::poll!(&mut light).is_pending());
    let last = heavy.pop().expect("the one that came last");
    assert_eq!(last.await.err(), Some(Full));
    drop(first);
    heavy.pop().expect("the first").await.expect("a place");
    light.await.expect("a place");
    assert_eq!((bulkhead.taken(), bulkhead.waiting()), (0, 0));
}

#[tokio::test]
async fn who_gives_up_waiting_takes_no_place() {
    let bulkhead = bulkhead(1, 1, 1);
    let first = bulkhead.try_enter("x").expect("a place");
    let mut gone = Box::pin(bulkhead.enter("a"));
    assert!(futures::poll!(&mut gone).is_pending());
    drop(gone);
    // Nor a place in the queue.
    let mut next = Box::pin(bulkhead.enter("a"));
    assert!(futures::poll!(&mut next).is_pending());
    drop(first);
    // A place that came too late is free again.
    drop(next);
    assert_eq!((bulkhead.taken(), bulkhead.waiting()), (0, 0));
    drop(bulkhead.try_enter("b").expect("a place"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_place_is_lost_or_given_twice() {
    let bulkhead = bulkhead(3, 2, 100);
    let users = ["a", "b", "c", "d"].into_iter().cycle().take(16);
    let mut tasks = JoinSet::new();
    for user in users {
        let bulkhead = Arc::clone(&bulkhead);
        tasks.spawn(async move {
            for n in 0..500 {
                let mut waiting = Box::pin(bulkhead.enter(user));
                if n % 7 == 0 {
                    // Taken and given back, or given up.
                    drop(futures::poll!(&mut waiting));
                } else {
                    let place = waiting.await.expect("a place");
                    assert!(bulkhead.taken() <= 3);
                    yield_now().await;
                    drop(place);
                }
            }
        });
    }
    let all = timeout(Duration::from_secs(60), tasks.join_all()).await;
    all.expect("a place was lost, and somebody waits for it");
    assert_eq!((bulkhead.taken(), bulkhead.waiting()), (0, 0));
}
