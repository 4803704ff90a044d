"""The compile sandbox: throwaway containers of a Docker engine.

base.py       the contract: jobs, results, errors
config.py     configuration: images, engine, limits
protocol.py   the bytes between host and driver (also copied into the images)
limits.py     resource limits of a container and of a file in it
source_tar.py the tree as a vetted tar
engine.py     the Docker engine: clients, images, error messages
product.py    the engine's product and its oldest supported version
podman.py     differences in Podman's requests and responses
container.py  one container: its options, start and removal
pool.py       warm containers, claimed by renaming them
exchange.py   one request and its response over the attached socket
session.py    one job in one container
sharding.py   a large job sharded over several containers
docker.py     DockerSandbox: takes jobs, returns results, retries
seccomp.json  the system calls that a container may make, with the reason for each group
self_check.py compares what the engine provides with what is required; probe.py tests it from inside
hints.py      adds the property and value of the limit that a message is about
reaper.py     removes containers whose sync is no longer alive
fake.py       a sandbox without containers, for unit tests
"""
