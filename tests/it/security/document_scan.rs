//! The cost of a document grows with its size, whatever its shape.
