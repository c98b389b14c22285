"""The optimisation of one picture: objective, compiled loop, engine, schedule, and the cache between runs."""
