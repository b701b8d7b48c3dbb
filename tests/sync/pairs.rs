//! Threaded programs that become programs of tasks by a change of imports: each is compiled twice, and must say the same.

macro_rules! pair {
    ($name:ident, $file:literal $(, $import:ident)*) => {
        mod $name {
            pub(super) mod of_std {
                use std::{$($import,)* sync, thread};
                include!($file);
            }
            pub(super) mod of_switchback {
                use switchback::{$($import,)* sync, thread};
                include!($file);
            }
        }

        #[test]
        fn $name() {
            let threads = $name::of_std::program();
            let tasks = crate::workers(2).run($name::of_switchback::program);
            assert!(!tasks.is_empty());
            assert_eq!(threads, tasks);
        }
    };
}

pair!(message_passing, "programs/message_passing.rs");
pair!(shared_state, "programs/shared_state.rs");
pair!(worker_pool, "programs/worker_pool.rs");
pair!(dining_philosophers, "programs/dining_philosophers.rs");
pair!(readers_writers, "programs/readers_writers.rs");
pair!(pipeline, "programs/pipeline.rs");
pair!(directory_walk, "programs/directory_walk.rs");
#[cfg(unix)]
pair!(web_server, "programs/web_server.rs", net);
