import sys

from cli.runtime.watchdog.main import main

sys.exit(main())
