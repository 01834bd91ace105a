"""How eagerly a JVM of ours compiles itself, which on a small machine is most of what its first minutes take."""

from __future__ import annotations

_SPARING = (
    "-XX:Tier3InvocationThreshold=1000",
    "-XX:Tier3MinInvocationThreshold=500",
    "-XX:Tier3CompileThreshold=6000",
    "-XX:Tier3BackEdgeThreshold=120000",
)
"""For all of them: the first compiler two to five times as late as by itself (200, 100, 2,000, 60,000).

Most of what a start runs some hundred times is never run again (docs/adr/0059-jars-unpacked-once.md).
"""

QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *_SPARING)
"""For what lives for seconds or does little: the first compiler alone, and one thread that collects."""

LATE = (
    *_SPARING,
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)
"""For what runs for ever: the second compiler ten times as late as by itself (5,000, 600, 15,000, 40,000).

What is hot is compiled all the same, within a minute at some thousand events a
second; what only a start runs is not (docs/adr/0046-what-is-not-loaded.md).
"""
