"""The optimisation itself: objective, compiled loop, engine, schedule, and the caches between runs."""
