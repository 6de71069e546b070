//! Message codes put into words in the reader's language.
