"""The watchdog: what a supervisor of processes cannot see. Begin at `main.py`.

It submits the streaming job where Flink has none, restarts the one that
makes no progress although Flink calls it running, and starts the supervisor
anew when that has died, which in turn restarts the watchdog.
"""
