"""Brings a service up to a release of the template that it was made from: `make update`.

The template is rendered twice with the service's answers: as it was when the service was last updated, and as it is in
the release. Git merges the difference between the two into the work tree, as it merges a branch: where both sides have
changed the same lines there is a conflict, and every other change is taken.

The template runs this package, too, for services that do not have it yet. So it imports nothing of the service, and
`python -m` finds it by PYTHONPATH alone.
"""
