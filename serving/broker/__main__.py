import sys

from serving.broker.main import main

sys.exit(main())
