"""The batch jobs: `replay` every night, `build` every week, and what both know of the log in `truth`."""
