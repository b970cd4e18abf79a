//! What is there: ids, deployments, pools, queues, runs, states. Plain values; no I/O, clock or randomness.
