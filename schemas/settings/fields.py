"""Every setting: its meaning, unit, bounds and default."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.query.rank import RankTable

Port = Annotated[int, Meta(ge=1, le=65535)]
Count = Annotated[int, Meta(ge=1, le=4096)]


class SettingFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set, a field each; what follows from several of them is `Settings`."""

    home: str = ".vitrine"
    """Folder of all state: logs, stores, snapshots, process ids (VITRINE_HOME). Made absolute when read."""

    host: str = "127.0.0.1"
    """Address that every server binds to."""
    http_port: Port = 8000
    """The blender: search over HTTP and the page."""
    kafka_port: Port = 9092
    """The single-node broker that `vitrine start` runs; the controller listens on the next port."""
    flink_port: Port = 8081
    """Flink's REST interface and dashboard."""
    flink_address: str = ""
    """Where task managers of other machines reach the job manager, host[:port], alike on all; `host` is then each one's
    own address (docs/operations.md). Empty: Flink has one machine, and stays on its loopback address."""
    flink_tls_keystore_file: str = ""
    """PKCS#12 file with the key and certificate by which Flink's processes know each other, one for all machines."""
    flink_tls_password_file: str = ""
    """File that holds its password (readable by Vitrine's user alone)."""
    grpc_port: Port = 7100
    """The broker's gRPC port; searcher of shard s, replica r listens on grpc_port + 1 + s * replicas + r."""
    broker_address: str = ""
    """Where blenders and commands reach the broker, host:port; of several, separated by commas, any one answers. Empty:
    `host` and `grpc_port`."""
    searcher_address: str = ""
    """Where a broker reaches searchers: host:port with {shard}, {replica} and {port} for what they are, as in
    searcher-{shard}-{replica}.example:7101, whose port is then what a searcher listens on; or the path of a .json file
    that lists them and is followed as it changes (docs/operations.md). Empty: `host`, and the ports above."""
    metrics_port: Port = 9250
    """First port of Flink's Prometheus reporter (job manager, task managers take the following)."""
    kafka_bootstrap: str = ""
    """Kafka to use, host:port[,host:port]; empty: 127.0.0.1:kafka_port, which `vitrine start` runs."""
    kafka_node: Annotated[int, Meta(ge=0, le=9)] = 0
    """Which of the brokers in `kafka_bootstrap` this machine runs, counted from 1; that list then has each of them, in
    an order that stays (docs/operations.md). 0: none; what `kafka_bootstrap` names is run by somebody else."""
    kafka_cluster: str = ""
    """Id of a Kafka of ours that was there before it had these brokers, 22 characters, alike on all their machines;
    empty: they were made together, and it follows from `kafka_bootstrap`."""
    kafka_replicas: Annotated[int, Meta(ge=0, le=9)] = 0
    """Replicas of each topic; all but one of them must have a record before it counts as written. 0: as many as the
    brokers give a topic by themselves (default.replication.factor, min.insync.replicas)."""

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How every client of ours speaks with Kafka."""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How they prove who they are, with SASL_SSL."""
    kafka_sasl_username: str = ""
    """Whose name they give."""
    kafka_sasl_password_file: str = ""
    """File that holds the password (readable by Vitrine's user alone)."""
    kafka_tls_ca: str = ""
    """PEM file of the authority that signed the brokers' certificates; empty: the system's authorities."""
    kafka_tls_certificate: str = ""
    """PEM file of our certificate, where Kafka demands one."""
    kafka_tls_key: str = ""
    """PEM file of its key, PKCS#8, without a password."""

    store: str = "rocksdb"
    """Where the stores of products and of features lie: rocksdb, in `home`; or a server that speaks the Redis protocol,
    redis[s]://[user@]host[:port][/database], meant for Apache Kvrocks (docs/operations.md)."""
    store_name: str = "vitrine"
    """What every key on that server begins with; systems that share a server need a name each."""
    store_password_file: str = ""
    """File that holds the server's password (readable by Vitrine's user alone)."""
    store_tls_ca: str = ""
    """PEM file of the authority that signed the server's certificate; empty: the system's authorities."""

    grpc_tls_ca: str = ""
    """PEM file of the authority whose certificates searchers, broker and their clients accept; empty: no encryption."""
    grpc_tls_certificate: str = ""
    """PEM file of the certificate that they show each other; it names the address that others connect to."""
    grpc_tls_key: str = ""
    """PEM file of its key."""

    api_keys_file: str = ""
    """File of the API keys that open the blender's routes, see `vitrine keys`; empty: whoever reaches it may ask."""
    tls_certificate: str = ""
    """Certificate chain (PEM) of the blender; with it, HTTP is HTTPS. Read anew when it changes."""
    tls_key: str = ""
    """Its private key (PEM, not encrypted)."""
    allow_open_address: bool = False
    """Lets servers listen on an address that other machines reach, without keys and encryption."""

    shards: Count = 2
    """Searcher shards of a system that has no full index yet; afterwards the serving generation's number counts."""
    delta_partitions: Annotated[int, Meta(ge=0, le=4096)] = 0
    """Partitions of index-deltas, fixed once the topic exists; 0: as many as `shards`."""
    replicas: Count = 1
    """Searchers per shard."""
    event_partitions: Count = 4
    """Partitions of product-events, each with a catalogue store partition of its own."""
    feature_partitions: Count = 4
    """Partitions of extract-requests, each with a feature store partition of its own."""
    parallelism: Count = 1
    """Parallel subtasks of the streaming job."""
    task_slots: Annotated[int, Meta(ge=0, le=4096)] = 0
    """Slots of the task manager; 0: as many as the job needs and as many again. With fewer than `parallelism` more task
    managers must come (docs/operations.md), and the stores must lie on a server."""

    extraction_apart: bool = False
    """Pictures are extracted by a job of its own, on task managers that take nothing else (the part `flink-extraction`,
    docs/operations.md): while there is none of them new pictures wait, and nothing else does."""
    extraction_parallelism: Annotated[int, Meta(ge=0, le=4096)] = 0
    """Parallel subtasks of that job, each with a network of its own; 0: `parallelism`."""

    encoder: str = "efficientnet_lite0_blocks"
    """Encoder by name: efficientnet_lite0|1|2, each with _composite, _blocks or neither, or a torchvision model;
    external:NAME:DIMENSION: events bring the vectors (docs/events.md), and no network is loaded."""
    weights: str = ""
    """Local weights file for a torchvision encoder; empty: the package's or torchvision's own."""
    further_encoders: list[str] = []
    """Encoders that the streaming job keeps current besides `encoder`: a name, or name=weights file."""
    device: str = "auto"
    """Of networks, and of a build's k-means and assignment: auto (processor or graphics card, by measuring), cpu, cuda,
    cuda:1, ... (docs/operations.md)."""
    extraction_batch: Count = 32
    """Images per CNN batch at most."""
    extraction_threads: Count = 1
    """CPU threads of the CNN process."""

    bundle_time_ms: Annotated[int, Meta(ge=1, le=10_000)] = 5
    """Flink's Python bundle time: the latency of the catalogue stage (DESIGN section 7)."""
    checkpoint_interval_ms: Annotated[int, Meta(ge=100)] = 10_000
    """Time between Flink checkpoints: what a restart replays at most."""
    heartbeat_interval_ms: Annotated[int, Meta(ge=10, le=60_000)] = 500
    """Time between heartbeats per partition of product-events: how stale a watermark may be that no event moves."""
    heartbeat_rest_interval_ms: Annotated[int, Meta(ge=10, le=60_000)] = 2_000
    """The same once nobody has written an event for ten seconds, where it is the longer one."""
    stalled_after_s: Annotated[float, Meta(ge=5)] = 60.0
    """A streaming job that has work and makes no progress for that long is restarted (extraction: 3 times that)."""
    stale_after_s: Annotated[float, Meta(gt=0)] = 30.0
    """Age of the watermark from which on `vitrine status` calls the index stale."""
    snapshot_interval_s: Annotated[float, Meta(gt=0)] = 60.0
    """Time between a searcher's snapshots."""

    generations: str = ""
    """Folder of the full indexes and their alias, seen by builds and by every searcher, or s3://bucket/prefix
    (docs/operations.md); empty: in `home`."""
    keep_generations: Count = 3
    """Full indexes kept, the serving one included; older ones are removed after a publication."""
    index_kind: str = ""
    """exact, ivf_flat, ivf_pca, ivf_sq8 or ivf_pq; empty: exact below 20,000 images a shard, ivf_pca from there on
    (ivf_flat below 256 numbers a vector)."""
    index_lists: Annotated[int, Meta(ge=0)] = 0
    """Inverted lists of a shard; 0: from its number of images."""
    index_recall: Annotated[float, Meta(gt=0, le=1)] = 0.99
    """Recall @10 against exact search that nprobe is chosen for."""
    recall_sample: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Share of the searches by vector that each searcher answers exactly as well, for a fiftieth of one core at most;
    what it looks through follows `index_recall` by them (docs/operations.md). 0: none; it stays as chosen."""
    index_headroom: Annotated[float, Meta(ge=0, le=8)] = 0.25
    """Free space of each inverted list, as a part of its entries, for the deltas until the next build."""
    index_seed: Annotated[int, Meta(ge=0)] = 0
    """Of the training sample and of k-means."""
    publish_min_of_serving: Annotated[float, Meta(ge=0)] = 0.9
    """Least searchable images of a new generation, as a part of the serving one's."""
    publish_min_of_catalogue: Annotated[float, Meta(ge=0, le=1)] = 0.95
    """Least searchable images of a new generation, as a part of the catalogue's valid images."""
    publish_min_recall: Annotated[float, Meta(ge=0, le=1)] = 0.97
    """Least recall @10 that a build measured, in any shard."""
    publish_min_overlap: Annotated[float, Meta(ge=0, le=1)] = 0.9
    """Least mean overlap @10 of both generations' answers to the recorded queries; extractors being equal."""
    recorded_queries: Annotated[int, Meta(ge=0, le=100_000)] = 500
    """Query vectors that the broker keeps a uniform sample of, for warming and for checks; 0: none."""

    look_pictures: Annotated[int, Meta(ge=0, le=100_000)] = 1_000
    """Pictures of the catalogue that a build fetches and looks at, 22 ms of one core for each of 5 views, to learn what
    tells the shop's products apart; of encoders with base features alone (`..._blocks`). Below 50: nothing is learned,
    and what serves, or the prior that is shipped, goes on."""
    meaning: bool = True
    """Words that no product has find what looks like them: builds learn from titles and pictures what words look like,
    and the blender uses it where it is worth its while (docs/search.md). English."""

    filter_attributes: list[str] = []
    """Attributes that products are filtered, counted and ranked by, besides the built-in ones: NAME:KIND with a kind of
    keyword, path, list, number or time. May change at any time; searchers and the blender read it at their start."""
    picture_colours: bool = True
    """Products whose events give no `colour` or `colours` are filtered and counted by those that their pictures show
    (docs/search.md), with an encoder of base features (`..._blocks`). May change at any time; searchers read it."""
    picture_words: bool = False
    """Words in the pictures of products are read while these are extracted, and found as those of a title, below it
    (docs/search.md): 0.14 s of one core a picture. Needs `vitrine[ocr]` and an encoder of base features."""
    picture_objects: bool = False
    """Objects that pictures of products show are named while these are extracted, as values of the field `objects`
    (docs/search.md): 0.1 s of one core a picture. Needs `make detector` and an encoder of base features."""
    text_attributes: list[str] = []
    """Attributes that words are searched for in, besides title, brand, category, colour, type and labels."""
    text_language: str = ""
    """Language of the products' texts as Snowball names it (english, german, ...): words are found in all their forms;
    empty: as they are written."""
    rank_profiles: dict[str, RankTable] = {}
    """Orders by name, each a table of weights (docs/search.md); as a variable, JSON."""

    doubles: Literal["merge", "show"] = "show"
    """Whether products that show one picture are merged into the best of them, where a question does not say
    (docs/search.md)."""
    doubles_likeness: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Inner product from which on two pictures are taken for one; 0: as it was measured for the encoder."""

    database_mapping: str = ""
    """File that says which tables and columns of the shop's database are which fields of a product (docs/events.md)."""
    database_topic: str = ""
    """Topic with Debezium's change events of that database, which the streaming job then reads; empty: none."""

    search_log: bool = False
    """Keeps what shoppers ask, are shown and click (docs/search.md): topics `search-log` and `clicks`, which
    `vitrine start` creates, and `vitrine report`. Off, nothing of it is kept anywhere."""
    search_log_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    """Days that both topics keep it for; a change takes effect with the next `vitrine start`."""
    search_log_text: Literal["words", "none"] = "words"
    """Whether the words that were asked for are kept with the rest, or only that there were words."""
    learned_rank: bool = True
    """Builds learn an order from the search log, and questions may ask for it as the profile `learned`, which is used
    where it is better than what was declared (docs/search.md)."""

    traces: str = ""
    """Where traces are sent, by OTLP over HTTP (http://127.0.0.1:4318): the ways of events and of queries through all
    processes (docs/operations.md). Needs `vitrine[traces]`. Empty: nothing is traced, and nothing of it is loaded."""
    traces_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Share of the requests and events without a `traceparent` of their own that a trace is begun for."""

    fetch_allowed_hosts: list[str] = []
    """Hosts that images may be fetched from (exact, or *.example.com); empty: any public host."""
    fetch_allowed_networks: list[str] = []
    """Private networks (CIDR) that are allowed all the same; by default none is."""
    fetch_allowed_folders: list[str] = []
    """Folders that file URLs may lie below, besides `home` and imported catalogues."""
    fetch_allowed_buckets: list[str] = []
    """Buckets of the object store that images may be fetched from (s3://bucket/key); by default none is."""
    fetch_timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    """Time for one image, connection to last byte."""
    fetch_max_attempts: Count = 5
    """Attempts before an image goes to the dead letters."""
    fetch_backoff_s: Annotated[float, Meta(gt=0)] = 1.0
    """Wait before the second attempt; doubled after each further one."""
    image_max_bytes: Annotated[int, Meta(ge=1)] = 20_000_000
    """Largest image file of the catalogue."""
    image_max_pixels: Annotated[int, Meta(ge=1)] = 50_000_000
    """Largest image in pixels (width times height)."""
    query_max_bytes: Annotated[int, Meta(ge=1)] = 10_000_000
    """Largest photo of a query."""
    query_max_pixels: Annotated[int, Meta(ge=1)] = 12_600_000
    """Pixels of a query's PNG, WebP or GIF, and what a JPEG may have once it is scaled down; a progressive JPEG may
    have twice as many before. 4,032 x 3,024 are 12.2 million; one such photo takes 0.2 GB while it is decoded."""
    query_max_jpeg_pixels: Annotated[int, Meta(ge=1)] = 100_000_000
    """Pixels of a query's JPEG, which is scaled down while it is read."""
    query_max_waiting: Count = 64
    """Photos that wait to be decoded, an eighth as many large ones; more are answered 503."""
    query_known_photos: Annotated[int, Meta(ge=0, le=1_000_000)] = 2048
    """Vectors of queries' photos, and the places of their items, that are kept for when the same photo comes again, as
    for the next page; 0: none."""
    query_items: bool = True
    """A question that asks for `items` is answered by the best of them, where things stand apart in its photo
    (docs/search.md); false: by all of it, unless it names a box."""
    query_detector: bool = False
    """The items of a photo are looked for by the detector as well (`make detector`), for 0.1 s of one core more: many
    more of them are found where there is no plain background (docs/search.md). Read by the blender at its start."""
    search_timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    """Time for one search, from the last byte of the question to the answer; later it is 504."""

    allowed_hosts: list[str] = []
    """Names that clients may call the blender by (the Host header): exact, *.example.com, or * for any. Numeric
    addresses, localhost and `host` always are."""
    http_header_timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    """Time from a connection, or a request's first byte, to the end of the request's headers."""
    http_body_timeout_s: Annotated[float, Meta(gt=0)] = 30.0
    """Time for a request's body, and for a client to take on an answer that does not flow."""
    http_idle_timeout_s: Annotated[float, Meta(gt=0)] = 15.0
    """Time that a connection is kept between two requests."""
    http_max_connections: Annotated[int, Meta(ge=1)] = 512
    """Connections at a time; one more takes the place of an idle one, or is answered 503."""
    http_max_header_bytes: Annotated[int, Meta(ge=1024)] = 32_768
    """Bytes of a request's first line and headers."""
    http_drain_s: Annotated[float, Meta(ge=0)] = 0.0
    """For so long a blender that is told to stop answers on, while /readyz says that it is going: what a load balancer
    in front of it needs to send no more there."""
    http_max_upload_bytes: Annotated[int, Meta(ge=1)] = 64_000_000
    """Bytes of all photos and vectors that are being received or searched with; more are answered 503."""
