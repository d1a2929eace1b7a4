"""Reading: statement -> facts -> planner -> plan -> hydrator -> loader -> eager -> result."""
