"""The sample catalogue: products that Vitrine draws itself, so that a search can be tried at once."""

from sample.making import SampleCatalogue, make_sample

__all__ = ["SampleCatalogue", "make_sample"]
