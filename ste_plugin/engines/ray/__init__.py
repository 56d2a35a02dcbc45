"""The engine `ray`: replicas of another engine on the machines of a Ray cluster."""
