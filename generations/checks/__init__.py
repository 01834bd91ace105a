"""What a generation must show before it serves: each check is a number, a threshold, and a reason with a next step.

`run` has their order; `contents` looks at the generation itself, `reach` at
the log that it is to go on from, `overlap` at the answers beside those of what
serves. May import what `generations` may: no faiss, no Flink.
"""
