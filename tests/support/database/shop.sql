-- A shop's tables, with what change events have trouble with: a long text that is stored apart, decimals, arrays,
-- JSON, dates, a column that says whether a product is sold, and pictures in a table of their own.
CREATE SCHEMA shop;
CREATE TABLE shop.products (
    sku text PRIMARY KEY,
    name text NOT NULL,
    brand text,
    category text,
    price_cents integer NOT NULL,
    weight numeric(8, 3),
    sizes text[],
    facts jsonb,
    story text,
    released date,
    changed timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'live',
    stock integer NOT NULL DEFAULT 0
);
ALTER TABLE shop.products ALTER COLUMN story SET STORAGE EXTERNAL;
CREATE TABLE shop.pictures (
    id integer PRIMARY KEY,
    product text NOT NULL REFERENCES shop.products (sku) ON DELETE CASCADE ON UPDATE CASCADE,
    url text NOT NULL,
    etag text,
    place integer NOT NULL
);
ALTER TABLE shop.pictures REPLICA IDENTITY FULL;
INSERT INTO shop.products VALUES
    ('A-1', 'Running shoe', 'Strider', 'shoes/running', 5990, 0.310, '{42,43}', '{"sole": "foam", "drop_mm": 8}',
     repeat('A shoe for the first mile and the last. ', 200), '2026-03-01', '2026-11-01 10:00:00.25+00', 'live', 7),
    ('A-2', 'Canvas tote', NULL, 'bags', 1990, NULL, NULL, NULL, NULL, NULL, '2026-11-01 10:00:00+00', 'live', 3),
    ('A-3', 'Old lamp', 'Lumen', 'lamps', 8900, 2.5, '{}', '{}', NULL, '2019-01-01', '2026-11-01 10:00:00+00', 'draft', 0);
INSERT INTO shop.pictures VALUES
    (1, 'A-1', 'a-1/side.jpg', 'e1', 1), (2, 'A-1', 'a-1/top.jpg', NULL, 2),
    (3, 'A-2', 'https://cdn.example.com/tote.jpg', NULL, 1), (4, 'A-3', 'a-3/lamp.jpg', NULL, 1);
