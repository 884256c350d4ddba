"""An agent loop: a model that calls tools, a human who approves, and a budget of time."""
