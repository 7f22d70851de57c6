-- +goose Up

-- What is left of a purged order: enough to know it again, and nothing of it.
CREATE TABLE dbo.order_tombstones (
    Customer VARCHAR(22) COLLATE Latin1_General_100_BIN2 NOT NULL,
    Nonce    BIGINT NOT NULL,
    PurgedAt DATETIME2(3) NOT NULL,
    CONSTRAINT PK_order_tombstones PRIMARY KEY CLUSTERED (Customer, Nonce)
);

-- The oldest orders, without a look at all the others.
CREATE NONCLUSTERED INDEX IX_orders_completed ON dbo.orders (CompletedAt)
    WITH (OPTIMIZE_FOR_SEQUENTIAL_KEY = ON);
