"""`make update`: updates a service to a release of the template.

The template is rendered twice with the service's answers: at the commit of the last update, and at the release. Git
merges the difference into the work tree, as it merges a branch, with conflicts where both sides changed the same lines.

The template also runs this package for services that do not have it yet. It therefore imports nothing of the service,
and `python -m` has to find it by PYTHONPATH alone.
"""
