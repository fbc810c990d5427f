"""Keep photos and files that browsers and scripts send."""
