"""The tables of deliveries, and the only statements that write them."""
