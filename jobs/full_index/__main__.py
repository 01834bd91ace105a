"""`python -m jobs.full_index replay --mini-cluster`"""

import sys

from jobs.full_index.main import main

sys.exit(main())
