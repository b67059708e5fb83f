"""The configuration of delivery: receivers, routes and watchlists, as `delivery.yaml` declares them."""
