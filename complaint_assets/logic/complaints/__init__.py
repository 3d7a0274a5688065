"""From deliveries to complaints: what is one event, what repeats what, who belongs together."""
