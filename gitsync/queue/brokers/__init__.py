"""Brokers, which transport tasks to workers: a module for each value of `kiok.broker`.

A broker only notifies workers. Which sync is due next is decided in the store (`gitsync.queue`), so that the queue is
fair and no request is lost when a broker loses tasks. A broker that is no database raises BrokerAway (`errors`) if it does
not answer; each reports its load (`load`).
"""
