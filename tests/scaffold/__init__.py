"""Tests of the scaffolding: validation of the answers, the files of a service, and updates."""
