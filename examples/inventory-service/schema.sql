-- What the service had before its first change.
CREATE TABLE orders (
    id       BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    item     TEXT NOT NULL,
    quantity INTEGER NOT NULL
);
