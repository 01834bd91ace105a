"""The store port on a server that speaks the Redis protocol, meant for Apache Kvrocks.

    {<name>:<space>}:store                number of partitions; written by `ServerStore.create` alone
    {<name>:<space>:0003}/<key>           a record
    {<name>:<space>:0003}:token           how often the partition was opened for writing: the last one may write
    {<name>:<space>:0003}:holder          who that is; expires when it has not written for a while
    {<name>:<space>:0003}:copies          consistent views that are being read (`view`)
    {<name>:<space>:0003}:changed:<view>  what was written over since such a view began, as it was

What stands in braces is a cluster's hash tag: a partition lies on one node,
where one transaction reaches all of it. Of the server it asks WATCH, MULTI,
EXEC, GET, SET, MGET, MSET, UNLINK, INCR, SCAN with MATCH, sets and hashes; no
scripts, which Kvrocks does not write as one (MULTI it does, from 2.4).

This is the only package that knows redis-py. Begin reading at `writer`.
"""
