"""`python -m jobs.realtime_index --connector .cache/jars/flink/flink-sql-connector-kafka-*.jar`"""

import sys

from jobs.realtime_index.main import main

sys.exit(main())
