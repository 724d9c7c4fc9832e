//! Probes, `/metrics`, JSON API, status page.
