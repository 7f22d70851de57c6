-- Migrations only go forward: there is no way down.

-- +goose Up

-- Money is TEXT, never REAL. Times are TEXT: 2006-01-02T15:04:05.000Z.
-- AUTOINCREMENT: an order_id is never used again, not even that of a deleted row.
CREATE TABLE orders (
    order_id       INTEGER PRIMARY KEY AUTOINCREMENT,
    customer       TEXT    NOT NULL CHECK (length(customer) = 22),
    nonce          INTEGER NOT NULL,
    correlation_id TEXT    NOT NULL CHECK (length(correlation_id) = 36),
    status         TEXT    NOT NULL CHECK (status IN ('completed', 'rejected', 'failed')),
    reason         TEXT    NOT NULL,
    revision       INTEGER NOT NULL CHECK (revision >= 1),
    currency       TEXT    NOT NULL CHECK (length(currency) = 3),
    total_amount   TEXT    NOT NULL,
    request_hash   BLOB    NOT NULL CHECK (length(request_hash) = 32),
    accepted_at    TEXT    NOT NULL CHECK (length(accepted_at) = 24),
    completed_at   TEXT    NOT NULL CHECK (length(completed_at) = 24),
    CONSTRAINT orders_identity UNIQUE (customer, nonce)
) STRICT;

CREATE INDEX orders_newest ON orders (customer, order_id DESC);

CREATE TABLE order_lines (
    order_id   INTEGER NOT NULL REFERENCES orders (order_id),
    line_no    INTEGER NOT NULL CHECK (line_no >= 1),
    sku        TEXT    NOT NULL CHECK (length(sku) BETWEEN 1 AND 64),
    quantity   INTEGER NOT NULL CHECK (quantity >= 1),
    unit_price TEXT    NOT NULL,
    PRIMARY KEY (order_id, line_no)
) STRICT, WITHOUT ROWID;
