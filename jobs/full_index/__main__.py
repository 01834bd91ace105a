"""`python -m jobs.full_index replay --connector .cache/jars/flink/flink-sql-connector-kafka-*.jar`"""

import sys

from jobs.full_index.main import main

sys.exit(main())
