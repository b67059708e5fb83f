"""Tests of the project itself: structure, docs, packaging, images, benchmarks."""
