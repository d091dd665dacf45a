"""A Kubernetes cluster: namespaces, images, a PostgreSQL server, and releases of the chart. `KUBECONFIG` names it."""
