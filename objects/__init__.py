"""Objects in a store that speaks S3, read and written like files of a folder.

The only package that knows boto3, which is loaded where a setting names an
object store and nowhere else. `place` is what others use, `signed` what reads
objects within limits of its own; `client` says how one gets in, and words its
errors. May be imported by whoever keeps files there.
"""
