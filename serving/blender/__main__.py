import os
import sys

# Before OpenMP is loaded: the network's threads would otherwise spin between layers, on cores that others need
# (measured on 2 cores: 17 instead of 47 ms of processor time for a photo, and seconds of waiting on a busy machine).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from serving.blender.main import main

sys.exit(main())
