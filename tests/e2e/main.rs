//! What users do, on real clusters.
