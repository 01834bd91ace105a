from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchRequest(_message.Message):
    __slots__ = ("vectors", "count", "limit", "extractor_id", "nprobe", "generation", "filter", "facets", "words", "any_word", "listing", "order_by", "list_limit", "with_vectors", "explain", "suggest", "questions")
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EXTRACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    NPROBE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    ANY_WORD_FIELD_NUMBER: _ClassVar[int]
    LISTING_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    LIST_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WITH_VECTORS_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    SUGGEST_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    vectors: bytes
    count: int
    limit: int
    extractor_id: str
    nprobe: int
    generation: str
    filter: bytes
    facets: bytes
    words: str
    any_word: bool
    listing: bool
    order_by: str
    list_limit: int
    with_vectors: bool
    explain: bool
    suggest: str
    questions: _containers.RepeatedCompositeFieldContainer[SearchRequest]
    def __init__(self, vectors: _Optional[bytes] = ..., count: _Optional[int] = ..., limit: _Optional[int] = ..., extractor_id: _Optional[str] = ..., nprobe: _Optional[int] = ..., generation: _Optional[str] = ..., filter: _Optional[bytes] = ..., facets: _Optional[bytes] = ..., words: _Optional[str] = ..., any_word: bool = ..., listing: bool = ..., order_by: _Optional[str] = ..., list_limit: _Optional[int] = ..., with_vectors: bool = ..., explain: bool = ..., suggest: _Optional[str] = ..., questions: _Optional[_Iterable[_Union[SearchRequest, _Mapping]]] = ...) -> None: ...

class Found(_message.Message):
    __slots__ = ("counts", "image_ids", "product_ids", "scores", "urls", "prices", "sales", "praises", "attributes", "state_seqs", "attributes_omitted", "vectors", "keys", "colours", "said")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    URLS_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    SALES_FIELD_NUMBER: _ClassVar[int]
    PRAISES_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    STATE_SEQS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_OMITTED_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    COLOURS_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    image_ids: bytes
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    scores: _containers.RepeatedScalarFieldContainer[float]
    urls: _containers.RepeatedScalarFieldContainer[str]
    prices: _containers.RepeatedScalarFieldContainer[float]
    sales: _containers.RepeatedScalarFieldContainer[int]
    praises: _containers.RepeatedScalarFieldContainer[float]
    attributes: _containers.RepeatedScalarFieldContainer[bytes]
    state_seqs: _containers.RepeatedScalarFieldContainer[int]
    attributes_omitted: _containers.RepeatedScalarFieldContainer[int]
    vectors: bytes
    keys: _containers.RepeatedScalarFieldContainer[float]
    colours: _containers.RepeatedScalarFieldContainer[int]
    said: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, counts: _Optional[_Iterable[int]] = ..., image_ids: _Optional[bytes] = ..., product_ids: _Optional[_Iterable[str]] = ..., scores: _Optional[_Iterable[float]] = ..., urls: _Optional[_Iterable[str]] = ..., prices: _Optional[_Iterable[float]] = ..., sales: _Optional[_Iterable[int]] = ..., praises: _Optional[_Iterable[float]] = ..., attributes: _Optional[_Iterable[bytes]] = ..., state_seqs: _Optional[_Iterable[int]] = ..., attributes_omitted: _Optional[_Iterable[int]] = ..., vectors: _Optional[bytes] = ..., keys: _Optional[_Iterable[float]] = ..., colours: _Optional[_Iterable[int]] = ..., said: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("found", "watermark_ms", "pending_images", "missing_shards", "extractor_id", "search_ms", "generation", "refused_images", "listed", "facets", "matches", "corrected", "plan", "suggestions", "answers", "version")
    class CorrectedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FOUND_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_MS_FIELD_NUMBER: _ClassVar[int]
    PENDING_IMAGES_FIELD_NUMBER: _ClassVar[int]
    MISSING_SHARDS_FIELD_NUMBER: _ClassVar[int]
    EXTRACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    SEARCH_MS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    REFUSED_IMAGES_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    SUGGESTIONS_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    found: Found
    watermark_ms: int
    pending_images: int
    missing_shards: _containers.RepeatedScalarFieldContainer[int]
    extractor_id: str
    search_ms: float
    generation: str
    refused_images: int
    listed: Found
    facets: bytes
    matches: int
    corrected: _containers.ScalarMap[str, str]
    plan: _containers.RepeatedScalarFieldContainer[str]
    suggestions: _containers.RepeatedCompositeFieldContainer[Suggestion]
    answers: _containers.RepeatedCompositeFieldContainer[SearchResponse]
    version: int
    def __init__(self, found: _Optional[_Union[Found, _Mapping]] = ..., watermark_ms: _Optional[int] = ..., pending_images: _Optional[int] = ..., missing_shards: _Optional[_Iterable[int]] = ..., extractor_id: _Optional[str] = ..., search_ms: _Optional[float] = ..., generation: _Optional[str] = ..., refused_images: _Optional[int] = ..., listed: _Optional[_Union[Found, _Mapping]] = ..., facets: _Optional[bytes] = ..., matches: _Optional[int] = ..., corrected: _Optional[_Mapping[str, str]] = ..., plan: _Optional[_Iterable[str]] = ..., suggestions: _Optional[_Iterable[_Union[Suggestion, _Mapping]]] = ..., answers: _Optional[_Iterable[_Union[SearchResponse, _Mapping]]] = ..., version: _Optional[int] = ...) -> None: ...

class Suggestion(_message.Message):
    __slots__ = ("text", "products", "field")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    text: str
    products: int
    field: str
    def __init__(self, text: _Optional[str] = ..., products: _Optional[int] = ..., field: _Optional[str] = ...) -> None: ...

class DetailsRequest(_message.Message):
    __slots__ = ("product_ids", "generation", "max_bytes")
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    generation: str
    max_bytes: int
    def __init__(self, product_ids: _Optional[_Iterable[str]] = ..., generation: _Optional[str] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class Detail(_message.Message):
    __slots__ = ("product_id", "price", "sales", "praise", "attributes", "trimmed", "gone")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    SALES_FIELD_NUMBER: _ClassVar[int]
    PRAISE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    TRIMMED_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    price: float
    sales: int
    praise: float
    attributes: bytes
    trimmed: bool
    gone: bool
    def __init__(self, product_id: _Optional[str] = ..., price: _Optional[float] = ..., sales: _Optional[int] = ..., praise: _Optional[float] = ..., attributes: _Optional[bytes] = ..., trimmed: bool = ..., gone: bool = ...) -> None: ...

class DetailsResponse(_message.Message):
    __slots__ = ("details",)
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    details: _containers.RepeatedCompositeFieldContainer[Detail]
    def __init__(self, details: _Optional[_Iterable[_Union[Detail, _Mapping]]] = ...) -> None: ...

class ProductRequest(_message.Message):
    __slots__ = ("product_id", "generation")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    generation: str
    def __init__(self, product_id: _Optional[str] = ..., generation: _Optional[str] = ...) -> None: ...

class ImageStatus(_message.Message):
    __slots__ = ("image_id", "url", "valid", "searchable", "state_seq", "vector_seq", "vector")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    SEARCHABLE_FIELD_NUMBER: _ClassVar[int]
    STATE_SEQ_FIELD_NUMBER: _ClassVar[int]
    VECTOR_SEQ_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    image_id: bytes
    url: str
    valid: bool
    searchable: bool
    state_seq: int
    vector_seq: int
    vector: bytes
    def __init__(self, image_id: _Optional[bytes] = ..., url: _Optional[str] = ..., valid: bool = ..., searchable: bool = ..., state_seq: _Optional[int] = ..., vector_seq: _Optional[int] = ..., vector: _Optional[bytes] = ...) -> None: ...

class ReplicaStatus(_message.Message):
    __slots__ = ("shard", "replica", "images", "watermark_ms", "price", "sales", "praise", "attributes", "error", "generation")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_MS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    SALES_FIELD_NUMBER: _ClassVar[int]
    PRAISE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    shard: int
    replica: int
    images: _containers.RepeatedCompositeFieldContainer[ImageStatus]
    watermark_ms: int
    price: float
    sales: int
    praise: float
    attributes: bytes
    error: str
    generation: str
    def __init__(self, shard: _Optional[int] = ..., replica: _Optional[int] = ..., images: _Optional[_Iterable[_Union[ImageStatus, _Mapping]]] = ..., watermark_ms: _Optional[int] = ..., price: _Optional[float] = ..., sales: _Optional[int] = ..., praise: _Optional[float] = ..., attributes: _Optional[bytes] = ..., error: _Optional[str] = ..., generation: _Optional[str] = ...) -> None: ...

class ProductResponse(_message.Message):
    __slots__ = ("replicas",)
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    replicas: _containers.RepeatedCompositeFieldContainer[ReplicaStatus]
    def __init__(self, replicas: _Optional[_Iterable[_Union[ReplicaStatus, _Mapping]]] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ("asker", "generations", "extractor_ids")
    ASKER_FIELD_NUMBER: _ClassVar[int]
    GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    EXTRACTOR_IDS_FIELD_NUMBER: _ClassVar[int]
    asker: str
    generations: _containers.RepeatedScalarFieldContainer[str]
    extractor_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, asker: _Optional[str] = ..., generations: _Optional[_Iterable[str]] = ..., extractor_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ShardStatus(_message.Message):
    __slots__ = ("shard", "replica", "ready", "images", "searchable", "pending", "digest", "watermark_ms", "delta_offset", "lag", "extractor_id", "generation", "memory_bytes", "error", "index_kind", "rows", "shards", "serving", "delta_offsets", "failed", "health", "refused_images", "life", "recall", "recall_spread", "recall_queries", "nprobe", "filtered_recall", "filtered_recall_spread", "filtered_recall_queries", "refused")
    class DeltaOffsetsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    class RefusedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SHARD_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    SEARCHABLE_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_MS_FIELD_NUMBER: _ClassVar[int]
    DELTA_OFFSET_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    EXTRACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    INDEX_KIND_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    DELTA_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    REFUSED_IMAGES_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    RECALL_SPREAD_FIELD_NUMBER: _ClassVar[int]
    RECALL_QUERIES_FIELD_NUMBER: _ClassVar[int]
    NPROBE_FIELD_NUMBER: _ClassVar[int]
    FILTERED_RECALL_FIELD_NUMBER: _ClassVar[int]
    FILTERED_RECALL_SPREAD_FIELD_NUMBER: _ClassVar[int]
    FILTERED_RECALL_QUERIES_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    shard: int
    replica: int
    ready: bool
    images: int
    searchable: int
    pending: int
    digest: bytes
    watermark_ms: int
    delta_offset: int
    lag: int
    extractor_id: str
    generation: str
    memory_bytes: int
    error: str
    index_kind: str
    rows: int
    shards: int
    serving: bool
    delta_offsets: _containers.ScalarMap[int, int]
    failed: bool
    health: str
    refused_images: int
    life: str
    recall: float
    recall_spread: float
    recall_queries: int
    nprobe: int
    filtered_recall: float
    filtered_recall_spread: float
    filtered_recall_queries: int
    refused: _containers.ScalarMap[str, int]
    def __init__(self, shard: _Optional[int] = ..., replica: _Optional[int] = ..., ready: bool = ..., images: _Optional[int] = ..., searchable: _Optional[int] = ..., pending: _Optional[int] = ..., digest: _Optional[bytes] = ..., watermark_ms: _Optional[int] = ..., delta_offset: _Optional[int] = ..., lag: _Optional[int] = ..., extractor_id: _Optional[str] = ..., generation: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., error: _Optional[str] = ..., index_kind: _Optional[str] = ..., rows: _Optional[int] = ..., shards: _Optional[int] = ..., serving: bool = ..., delta_offsets: _Optional[_Mapping[int, int]] = ..., failed: bool = ..., health: _Optional[str] = ..., refused_images: _Optional[int] = ..., life: _Optional[str] = ..., recall: _Optional[float] = ..., recall_spread: _Optional[float] = ..., recall_queries: _Optional[int] = ..., nprobe: _Optional[int] = ..., filtered_recall: _Optional[float] = ..., filtered_recall_spread: _Optional[float] = ..., filtered_recall_queries: _Optional[int] = ..., refused: _Optional[_Mapping[str, int]] = ...) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("shards", "serving", "serving_extractor_id")
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    SERVING_EXTRACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    shards: _containers.RepeatedCompositeFieldContainer[ShardStatus]
    serving: str
    serving_extractor_id: str
    def __init__(self, shards: _Optional[_Iterable[_Union[ShardStatus, _Mapping]]] = ..., serving: _Optional[str] = ..., serving_extractor_id: _Optional[str] = ...) -> None: ...
