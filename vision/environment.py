"""Environment that processes which embed should be started with. Imports nothing heavy."""

from __future__ import annotations

MALLOC_ENV: dict[str, str] = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
}
"""glibc reads these once, when a process starts, so only its parent can set them.

Without them every activation of the network is mapped, page-faulted and
unmapped anew: half of a CNN's time on a CPU (DESIGN section 7). Harmless where
the C library is another one.
"""
