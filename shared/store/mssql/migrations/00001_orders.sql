-- Migrations only go forward: there is no way down.

-- +goose Up

-- Text that is compared or indexed is VARCHAR under a binary collation, whatever
-- the database's own: base64url tells upper case from lower.
-- OrderId rises, and jumps by thousands when the server restarts: it is no count.
-- CorrelationId is never a key: the server sorts it by its last six bytes first,
-- and it changes with the key that signs it.
CREATE TABLE dbo.orders (
    OrderId       BIGINT IDENTITY(1, 1) NOT NULL,
    Customer      VARCHAR(22) COLLATE Latin1_General_100_BIN2 NOT NULL,
    Nonce         BIGINT NOT NULL,
    CorrelationId UNIQUEIDENTIFIER NOT NULL,
    Status        VARCHAR(9) COLLATE Latin1_General_100_BIN2 NOT NULL,
    Reason        NVARCHAR(400) NOT NULL,
    Revision      INT NOT NULL,
    Currency      CHAR(3) COLLATE Latin1_General_100_BIN2 NOT NULL,
    TotalAmount   DECIMAL(19, 4) NOT NULL,
    RequestHash   BINARY(32) NOT NULL,
    AcceptedAt    DATETIME2(3) NOT NULL,
    CompletedAt   DATETIME2(3) NOT NULL,
    CONSTRAINT PK_orders PRIMARY KEY CLUSTERED (OrderId) WITH (OPTIMIZE_FOR_SEQUENTIAL_KEY = ON),
    CONSTRAINT UQ_orders_identity UNIQUE NONCLUSTERED (Customer, Nonce) WITH (FILLFACTOR = 90),
    CONSTRAINT CK_orders_Customer CHECK (LEN(Customer) = 22),
    CONSTRAINT CK_orders_Status CHECK (Status IN ('completed', 'rejected', 'failed')),
    CONSTRAINT CK_orders_Revision CHECK (Revision >= 1)
);

-- A page of a customer's list, without a look at the table.
CREATE NONCLUSTERED INDEX IX_orders_newest ON dbo.orders (Customer, OrderId DESC)
    INCLUDE (CorrelationId, Status, Reason, Revision, Currency, TotalAmount, RequestHash, AcceptedAt, CompletedAt)
    WITH (FILLFACTOR = 90);

-- LINENO is a reserved word, hence LineNumber.
CREATE TABLE dbo.order_lines (
    OrderId    BIGINT NOT NULL,
    LineNumber SMALLINT NOT NULL,
    Sku        VARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
    Quantity   INT NOT NULL,
    UnitPrice  DECIMAL(19, 4) NOT NULL,
    CONSTRAINT PK_order_lines PRIMARY KEY CLUSTERED (OrderId, LineNumber) WITH (OPTIMIZE_FOR_SEQUENTIAL_KEY = ON),
    CONSTRAINT FK_order_lines_orders FOREIGN KEY (OrderId) REFERENCES dbo.orders (OrderId),
    CONSTRAINT CK_order_lines_LineNumber CHECK (LineNumber >= 1),
    CONSTRAINT CK_order_lines_Sku CHECK (LEN(Sku) >= 1),
    CONSTRAINT CK_order_lines_Quantity CHECK (Quantity >= 1)
);
