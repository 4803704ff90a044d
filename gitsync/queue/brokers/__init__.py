"""What carries tasks from whoever asks to a worker: a module for each value of `kiok.broker`, and the table of tasks.

A broker only wakes workers. Which sync is due next the store says (`gitsync.queue`), so that turns are fair, and
nothing that was asked for is lost, whatever the broker is and whatever it loses. One that is no database raises BrokerAway
(`errors`) where it does not answer; each tells what is in it (`load`).
"""
