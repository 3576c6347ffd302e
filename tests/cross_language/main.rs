//! Cross-language tests: the real interpreter behind the real bridge; see tests/README.md.
