"""How eagerly a JVM of ours compiles itself, which on a small machine is most of what its first minutes take."""

from __future__ import annotations

QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For what lives for seconds or does little: the first compiler alone, and one thread that collects."""

LATE = (
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)
"""For what runs for ever: the second compiler ten times as late as by itself (5,000, 600, 15,000, 40,000).

What is hot is compiled all the same, within a minute at some thousand events a
second; what only a start runs is not (docs/adr/0046-what-is-not-loaded.md).
"""
