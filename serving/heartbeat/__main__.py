import sys

from serving.heartbeat.main import main

sys.exit(main())
