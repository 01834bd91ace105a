"""The searcher: a slot's process, with a shard of each generation that it holds.

`host` finds the generation that a query is of and `service` answers from it;
`feeding` alone writes what is answered from, `holding` decides which
generations are there, `measured` watches the recall of live queries.
"""
