"""One shard of the index, in memory and on disk. The one home of faiss; knows no Kafka, Flink or network."""
