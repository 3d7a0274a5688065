"""Fixtures: the S3 server that the tests of the resources use."""

from complaint_assets_tests.resources.conftest import s3

__all__ = ["s3"]
