"""Tests of the page: one shop and one browser for all of them, gone when they are done."""
