"""Tests of the scaffolding: what the questions accept, what a service consists of, how it is updated."""
