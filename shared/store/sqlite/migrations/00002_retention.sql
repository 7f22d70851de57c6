-- +goose Up

-- What is left of a purged order: enough to know it again, and nothing of it.
CREATE TABLE order_tombstones (
    customer  TEXT    NOT NULL CHECK (length(customer) = 22),
    nonce     INTEGER NOT NULL,
    purged_at TEXT    NOT NULL CHECK (length(purged_at) = 24),
    PRIMARY KEY (customer, nonce)
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_completed ON orders (completed_at);
