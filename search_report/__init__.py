"""What the search log says: figures by day, as a fold over answers and their clicks, what an order can be learned from,
and the reading that feeds both.

`figures` is pure and may be run by anybody, in parts and in any order, as a Flink batch job would; `reading` runs it
over Kafka, a day at a time. The command line, the build and the blender import them; none knows Flink. Begin at
`figures.py`.
"""
